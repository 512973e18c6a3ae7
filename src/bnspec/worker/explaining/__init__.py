"""What `bnspec explain` measures in a reader's own model: one batch in training and in inference mode.

It measures, and judges nothing. A module for each framework finds the layers, lets the model run, and puts back
what the passes moved; `recording` reduces what each layer was given and gave while it is called, so that nothing of
the size of an activation is kept or sent.
"""
