"""Calls of OpenNebula's XML-RPC, through StratusLab's proxy or to OpenNebula's own port."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import uuid4
from xml.sax.saxutils import escape

from stratuslab.client.configuration.cloud import Password
from stratuslab.client.error_codes import NO_EXISTS, error_of_code, error_of_fault
from stratuslab.client.errors import (
    ConfigurationError,
    CredentialsError,
    ForbiddenError,
    NotFoundError,
    NotSupportedError,
    ServiceError,
)
from stratuslab.client.opennebula.locks import explained
from stratuslab.client.opennebula.releases import STRATUSLAB_14_06, FrontEnd, front_end_of
from stratuslab.client.opennebula.xmlrpc_message import LAST_ID, AnswerReader, Fault, encode_call, read_answer
from stratuslab.client.transport.connection import Request, ServiceConnection
from stratuslab.client.transport.covered import CoveredText
from stratuslab.client.transport.failures import worst_of
from stratuslab.client.transport.xml_document import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.errors import MalformedAnswerError
    from stratuslab.client.opennebula.xmlrpc_message import Answer
    from stratuslab.client.transport.connection import HttpAnswer
    from stratuslab.client.transport.entry_reader import EntryReader

__all__ = ["Rpc"]

_PLACE_OF_SESSION = f"session-{uuid4().hex}"
_MISSING = re.compile(r"Error getting [a-z ]+ \[(-?[0-9]{1,19})\]")
_SESSION_BEHIND_PROXY = "dummy:pass"
"""The proxy demands a session and ignores it; the password need not travel twice."""


class Rpc:
    """OpenNebula's calls at one cloud; threads may share it.

    :raises ConfigurationError: for a certificate where there is no proxy.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._session: str = _SESSION_BEHIND_PROXY
        if cloud.compute.direct:
            if not isinstance(cloud.credentials, Password):
                raise ConfigurationError(
                    f"{cloud.source}: an OpenNebula front end without StratusLab's proxy "
                    "takes username and password, not a certificate"
                )
            self._session = CoveredText(f"{cloud.credentials.username}:{cloud.credentials.password}")
        self.cloud = cloud
        self._front_end = None if cloud.compute.direct else STRATUSLAB_14_06
        self.connection = ServiceConnection(
            cloud, "compute", cloud.compute, None if cloud.compute.direct else cloud.credentials
        )

    @property
    def front_end(self) -> FrontEnd:
        """The words of the release.

        OpenNebula's own port is asked for it once (``one.system.version``, which StratusLab's 3.2 does not
        have).

        :raises NotSupportedError: for a release between 3.2 and 5.12.
        """
        if self._front_end is None:
            self._front_end = self._asked_for_release()
        return self._front_end

    def _asked_for_release(self) -> FrontEnd:
        method = "one.system.version"
        try:
            version = self.call_for_text(method)
        except NotSupportedError as error:
            if error.code is None:
                raise
            return STRATUSLAB_14_06
        found = front_end_of(version)
        if found is None:
            raise NotSupportedError(
                f"OpenNebula {self.connection.quotable(version[:40])} is not supported: this package speaks "
                "the 3.2 of StratusLab 14.06, and 5.12 and later",
                location=self.cloud.location,
                operation=method,
            )
        return found

    def close(self) -> None:
        """Close the connections. Another call makes new ones."""
        self.connection.close()

    def call(
        self, method: str, *arguments: str | int | bool, changes: bool = False, repeatable: bool = True
    ) -> str | int | bool | None:
        """Call an XML-RPC method and return the second element of its answer, None where there is none.

        The session is added here. ``changes`` says that the call changes the cloud: a refusal is then not
        the whole truth if an earlier try may have been carried out.

        :raises ServiceError: or the subclass that belongs to the HTTP status, the fault or OpenNebula's code.
        :raises StratusLabError: that
            :meth:`~stratuslab.client.transport.connection.ServiceConnection.exchange` raises.
        """
        answer = self._post(method, arguments, changes=changes, repeatable=repeatable)
        try:
            return self._value_of(method, read_answer(answer.body))
        except DocumentError as error:
            problem = str(error)
        except ServiceError as error:
            if isinstance(error, NotFoundError) and _is_about_another(error.message, method, arguments):
                raise self.malformed(method, error.message) from None
            worst = worst_of(error, repeated=changes and answer.repeated)
            if worst is error and changes and isinstance(error, ForbiddenError) and self.front_end.has_pools:
                worst = explained(error, self.call_for_text)
            if worst is error:
                raise
            raise worst from error
        raise self.malformed(method, f"{problem} ({answer.media_type or 'no media type'})")

    def call_about(
        self, number: int, method: str, *arguments: str | int | bool, changes: bool = False
    ) -> None:
        """Call a method that answers with the number of what it was about, and may be sent again.

        :raises MalformedAnswerError: if the answer is about something else.
        """
        value = self.call(method, *arguments, changes=changes)
        if isinstance(value, bool) or value != number:
            raise self.malformed(method, f"it is not about {number}")

    def call_for_text(self, method: str, *arguments: str | int | bool) -> str:
        """Call a method that answers with a document."""
        value = self.call(method, *arguments)
        if not isinstance(value, str):
            raise self.malformed(method, f"its value is of the type {type(value).__name__}, not a document")
        return value

    def call_for_entries(
        self, method: str, *arguments: str | int | bool, entries: Callable[[], EntryReader]
    ) -> None:
        """Call a method that answers with a long document, and read that as it comes.

        ``entries`` returns the reader of the document, a new one each time that the call is sent. An entry
        that cannot be read is left out, with a warning.
        """
        readers: list[tuple[AnswerReader, EntryReader]] = []

        def reader() -> Callable[[bytes], None]:
            document = entries()
            readers.append((AnswerReader(document.feed), document))
            return readers[-1][0].feed

        try:
            self._post(method, arguments, reader=reader)
            answer, document = readers[-1]
            self._value_of(method, answer.close())
            document.close()
        except DocumentError as error:
            problem = str(error)
        else:
            self.connection.pass_over(method, document.left_out, read=document.taken)
            return
        raise self.malformed(method, problem)

    def malformed(self, method: str, problem: str) -> MalformedAnswerError:
        """Return the error for an answer that is not what the protocol says."""
        return self.connection.malformed(method, problem)

    def _post(
        self,
        method: str,
        arguments: tuple[str | int | bool, ...],
        *,
        changes: bool = False,
        repeatable: bool = True,
        reader: Callable[[], Callable[[bytes], None]] | None = None,
    ) -> HttpAnswer:
        answer = self.connection.exchange(
            Request(
                method,
                "POST",
                body=self._body(method, arguments),
                headers={"Content-Type": "text/xml"},
                repeatable=repeatable,
                reader=reader,
            )
        )
        if answer.status != HTTPStatus.OK:
            refused = self.connection.refused(method, answer)
            raise worst_of(refused, repeated=changes and answer.repeated)
        return answer

    def _body(self, method: str, arguments: tuple[str | int | bool, ...]) -> bytes:
        # The password is put in last: the frames of an error for what cannot be written must not hold it.
        try:
            body = encode_call(method, (_PLACE_OF_SESSION, *arguments))
        except OverflowError:
            largest = max(argument for argument in arguments if isinstance(argument, int))
            raise NotFoundError(
                f"nothing has the number {largest}: OpenNebula's go up to {LAST_ID}",
                location=self.cloud.location,
                operation=method,
                code=NO_EXISTS,
            ) from None
        return body.replace(_PLACE_OF_SESSION.encode(), escape(self._session).encode(), 1)

    def _value_of(self, method: str, result: Answer | Fault) -> str | int | bool | None:
        location = self.cloud.location
        if isinstance(result, Fault):
            text = f"fault {result.code}: {self.connection.quotable(result.text)}"
            raise error_of_fault(result.code)(text, location=location, operation=method, code=result.code)
        if not result.ok:
            text = self.connection.quotable(str(result.value))
            kind = error_of_code(result.code, text)
            if kind is CredentialsError and self.cloud.compute.direct:
                text += f": {self.connection.identity} was refused; see {self.cloud.source}"
            raise kind(text, location=location, operation=method, code=result.code)
        return result.value


def _is_about_another(refusal: str, method: str, arguments: tuple[str | int | bool, ...]) -> bool:
    """Return whether something is said not to be there that was not asked for.

    Only of calls that are about one thing: others need further things, and may miss one of them.
    """
    missing = _MISSING.search(refusal)
    is_about_one = method.endswith(".info") or method == "one.vm.action"
    return is_about_one and missing is not None and int(missing[1]) not in arguments
