"""Made-up calls for the example: ``manage.py demo_data``. Not a part of the package."""
