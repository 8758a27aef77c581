"""Ask a service for many photos: what it has no place for now is asked again.

In comes a service as a `Classify`; out goes one that waits where the service says that it is full,
or is gone for a moment, as when it is started anew. A visitor is told that at once instead; whoever
sends a thousand photos has time.
"""

import random
import threading
import time

from voilearn.errors import (
    DeadlinePassed,
    ServiceBusy,
    ServiceError,
    ServiceUnreachable,
    TokenRefused,
    TooManyRequests,
)
from voilearn.prediction import Classify, Prediction

AT_ONCE = 4  # photos on their way, half of what a service lets one client have
FULL_SECONDS = 600.0  # until a photo for which there is never a place is given up
GONE_SECONDS = 30.0  # until a service that can't be reached is; after that, each photo is one try
AGAIN = 1.0  # seconds between two tries, where the service does not say
REFUSED = (
    "The service does not take this token, or wants one: set the variable VOILEARN_TOKEN to the "
    "one that the service was started with."
)
FULL = (ServiceBusy, TooManyRequests, DeadlinePassed)


class Patient:
    """A service as a `Classify` that asks again."""

    def __init__(self, classify: Classify) -> None:
        self._classify = classify
        self._given_up = threading.Event()  # the service, until it answers once more

    def __call__(self, photo: bytes) -> Prediction:
        """Return the Prediction; raise what `classify` does once it has been asked for long."""
        began = time.monotonic()
        while True:
            try:
                prediction = self._classify(photo)
            except TokenRefused as error:
                raise TokenRefused(REFUSED) from error
            except (*FULL, ServiceUnreachable) as error:
                self._pause(error, began)
            else:
                self._given_up.clear()
                return prediction

    def _pause(self, error: ServiceError, began: float) -> None:
        """Wait until it is worth asking again, or raise the error."""
        full = isinstance(error, FULL)
        pause = AGAIN if error.retry_after is None else float(error.retry_after)
        left = began + (FULL_SECONDS if full else GONE_SECONDS) - time.monotonic()
        if pause > left or (not full and self._given_up.is_set()):
            if not full:
                self._given_up.set()
            raise error
        time.sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311  # not all at once
