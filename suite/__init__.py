"""Lengthwise: which sequence model should I use at my sequence length?"""
