"""What the schema cannot say: rules on annotations, on languages inside texts, on other objects and on what was before.

Every check returns `Problem` objects. An update is refused only for problems that the old object did not have, so that
an object older than a rule stays editable as long as the bad part is untouched (docs/spec/admission.md 6, ratcheting).
"""
