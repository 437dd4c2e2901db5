"""The answer to a request which broke the stream it came by."""

from __future__ import annotations

from hashlib import blake2b

from presproxy.errors import MalformedField
from presproxy.sip.flow import Address
from presproxy.sip.framing import StreamBroken
from presproxy.sip.message import build_response


def refusal(broken: StreamBroken, peer: Address) -> bytes | None:
    """
    Write the response to what was salvaged; None when there is nothing to answer.

    It is stateless: no transaction can follow on a stream that ends.
    """
    request = broken.request
    if request is None:
        return None
    try:
        request.stamp(*peer)
        # The same request gets the same tag (RFC 3261 §8.2.7).
        tag = blake2b(request.call_id.encode("utf-8", "replace"), digest_size=8)
        # 513 and 413 say it all; what is malformed should be told.
        reason = broken.why if broken.status == 400 else None
        return build_response(
            request, broken.status, to_tag=tag.hexdigest(), reason=reason
        )
    except MalformedField:
        return None
