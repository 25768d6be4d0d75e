"""Questions asked before it is known that they are good ones: only where that does no harm, and as if they had not been
asked when they turn out to be nobody's."""

from __future__ import annotations

import asyncio
from pathlib import Path

from test_hosting_connection import Serve, Toy, read_request

from cloche.engines.hosting.invocation import Invoker, Outcome
from cloche.engines.hosting.router import ANY, Key, Route, Router, Target, Variant
from cloche.engines.hosting.traffic import Traffic

KEY: Key = ("000000000000", "us-east-1", "churn")
QUESTION = (b"POST /invocations HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",)
SILENT_OK = b"HTTP/1.1 200 OK\r\nx-cloche-silent: 1\r\nContent-Length: 2\r\n\r\nok"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def saying(answer: bytes, asked: list[bytes]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked.append(await read_request(reader))
            writer.write(answer)

    return serve


class World:
    """One endpoint of one instance, which ``answer`` is said by."""

    def __init__(self, path: Path) -> None:
        self.router, self.traffic = Router(), Traffic()
        self.target = Target("i-1", str(path))
        self.router.put(KEY, Route([Variant("All", 1.0, [self.target], self.traffic)]))
        self.invoker = Invoker(self.router, lambda key, instance: None)
        self.told: list[tuple[str, Outcome]] = []

    async def ask(self) -> None:
        await self.invoker.invoke(KEY, ANY, QUESTION, lambda: (b"", "", ("", "", "")))

    def ask_ahead(self) -> None:
        def done(variant: str, outcome: Outcome) -> None:
            self.told.append((variant, outcome))

        self.call = self.invoker.send(KEY, ANY, QUESTION, done, lambda: (b"", "", ("", "", "")))


def test_only_a_server_that_said_so_is_asked_ahead(tmp_path: Path) -> None:
    async def main(answer: bytes) -> tuple[bool, bool]:
        path = tmp_path / str(len(answer))
        async with Toy(path, saying(answer, [])):
            world = World(path)
            before = world.invoker.leaves_no_trace(KEY)
            await world.ask()
            return before, world.invoker.leaves_no_trace(KEY)

    assert asyncio.run(main(SILENT_OK)) == (False, True)
    assert asyncio.run(main(OK)) == (False, False)


def test_not_while_the_connection_is_busy_nor_where_there_is_a_choice(tmp_path: Path) -> None:
    async def main() -> None:
        async with Toy(tmp_path / "s", saying(SILENT_OK, [])):
            world = World(tmp_path / "s")
            await world.ask()
            world.ask_ahead()
            assert not world.invoker.leaves_no_trace(KEY)  # it would have to wait, or be refused, by somebody
            assert not world.invoker.leaves_no_trace((*KEY[:2], "other"))
            shared = [Variant(name, 1.0, [world.target], world.traffic) for name in ("A", "B")]
            world.router.put(KEY, Route(shared))
            await asyncio.sleep(0.05)
            assert not world.invoker.leaves_no_trace(KEY)

    asyncio.run(main())


def test_what_is_dropped_is_neither_counted_nor_told_and_its_answer_is_nobody_elses(tmp_path: Path) -> None:
    async def main() -> None:
        asked: list[bytes] = []
        async with Toy(tmp_path / "s", saying(SILENT_OK, asked)):
            world = World(tmp_path / "s")
            await world.ask()
            counted = world.traffic.take()
            assert counted is not None and counted.invocations == 1
            world.ask_ahead()
            world.call.drop()
            await world.ask()
            while world.target.outstanding:
                await asyncio.sleep(0.01)
            counted = world.traffic.take()
            assert counted is not None and counted.invocations == 1
            assert world.told == [] and len(asked) == 3

    asyncio.run(main())


def test_one_that_is_wanted_is_told_and_counted_as_ever(tmp_path: Path) -> None:
    async def main() -> None:
        async with Toy(tmp_path / "s", saying(SILENT_OK, [])):
            world = World(tmp_path / "s")
            await world.ask()
            world.ask_ahead()
            while not world.told:
                await asyncio.sleep(0.01)
            counted = world.traffic.take()
            assert counted is not None and counted.invocations == 2
            assert [variant for variant, _ in world.told] == ["All"]

    asyncio.run(main())
