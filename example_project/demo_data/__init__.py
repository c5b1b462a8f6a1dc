"""Made-up calls for the example project: ``manage.py demo_data``. Not part of the package."""
