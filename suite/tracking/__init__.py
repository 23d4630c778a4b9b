"""Writes records to MLflow. The records stay the truth: everything here can be written again."""
