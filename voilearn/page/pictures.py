"""Small pictures of photos, as any browser can show them.

In come a photo's bytes, of whatever kind; out goes a JPEG: upright, without EXIF.
"""

import io

from voilearn.limits import LIMITS, Limits

PREVIEW = 640  # pixels on the longest side: sharp on a phone, 60 kB


def preview_of(photo: bytes) -> bytes:
    """Return the photo as it can be shown beside its answer; raises those of `decode_photo`."""
    return small_picture(photo, PREVIEW, quality=85)


def small_picture(photo: bytes, longest: int, quality: int, limits: Limits = LIMITS) -> bytes:
    """Return the photo with `longest` pixels on its longest side, or fewer."""
    from PIL import Image

    from voilearn.image import decode_photo

    picture = decode_photo(photo, at_least=longest, limits=limits)
    picture.thumbnail((longest, longest), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()
