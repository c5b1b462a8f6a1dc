"""The samples of README.md and docs/*.md: collected, classified and executed.

``collect``: the code blocks of the pages, each with file and line.
``kinds``: the kind of a sample; an unknown kind is an error.
``project``: a Django project in a folder, to which a page adds files.
``walk``: follows a page from top to bottom as a reader would: adds files, runs commands.
``shell``: parses command lines, and compares their output with the page.
``commands``: how each program of a command line is run here, and which are only checked.
``servers``: development servers and the sandbox, with a person who logs in.
``surroundings``: what a page expects to exist around its project.
``curl``, ``script``: commands and JavaScript that send requests to these servers.
``guard``: keeps the processes of a sample from connecting to other machines.
``programs``: Python that is no file, run in this process with the memory transport.
``formats``: JSON, templates, style sheets and other texts.
``services``: systemd units, Compose files and nginx configuration.
``reference``: what the tables of the reference pages must list.
"""
