from asserted import maker as asserted
from audited import maker as audited
from colleagues import maker as colleagues
from discreet import maker as discreet
from mood import maker as mood
from notebook import maker as notebook
