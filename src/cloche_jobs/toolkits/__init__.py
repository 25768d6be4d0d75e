"""What scripts import of the toolkits in AWS's images, under the names it has there.

This folder is the last entry of user code's import path, so that toolkits a script brings along come first. The modules
have what AWS's public examples and documentation use, and do it by Cloche's own means; any other name is an
``ImportError`` or ``AttributeError`` that says where it was looked for.

Names and meaning: aws/sagemaker-containers, aws/sagemaker-training-toolkit, aws/sagemaker-xgboost-container.
"""
