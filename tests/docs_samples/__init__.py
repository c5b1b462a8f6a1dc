"""The samples of README.md and docs/*.md: found, sorted by what they are, and executed.

| module | |
|---|---|
| ``collect`` | what is in the pages: fences, each with file and line |
| ``kinds`` | what a sample is; one that is nothing known is an error |
| ``project`` | a Django project in a folder, to which a page adds its files |
| ``walk`` | a page followed from top to bottom, as a reader would: files are added and checked, commands run |
| ``shell`` | command lines: how they are read, and what was printed beside what is shown |
| ``commands`` | what each program of a command line is made to do here, and which are checked only |
| ``servers`` | web servers and the sandbox, with a person who logs in |
| ``guard`` | lets what a sample starts reach this machine alone |
| ``programs`` | Python that is no file, run in this process with the memory transport |
| ``formats`` | JSON, YAML, units of systemd, nginx, templates, style sheets |
| ``reference`` | what the tables of the reference must list |
"""
