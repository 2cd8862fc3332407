"""An engine that answers wrongly, too late or not at all: what each caller gets, and that all is well afterwards."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from dragoman.core import pool
from dragoman.core.breaker import FAILURES_TO_OPEN, SHORTEST_S
from dragoman.engines import http
from dragoman.simulator import create_app, profile_named, running
from tests.contract.fault_server import Script, answer, serving
from tests.faults.engines import (
    ANSWER,
    BUSY,
    Fault,
    FaultyOllama,
    answers_byte_by_byte,
    closes_in_the_middle,
    ends_too_early,
    line,
    never_answers,
    ollamas,
    resets_at_once,
    resets_in_the_middle,
    sends,
    stops_in_the_middle,
    translates,
    url_of,
)
from tests.faults.service import Opener, settles

KEY = "k-0123456789"


@pytest.mark.parametrize("silence", [never_answers, stops_in_the_middle])
async def test_an_engine_that_falls_silent_costs_its_callers_no_more_than_their_time(
    open_service: Opener, silence: Fault
) -> None:
    engine = FaultyOllama(always=silence)
    async with ollamas(engine, slots=2) as urls, open_service(*urls) as service:
        replies = await asyncio.gather(*(service.ask(f"Text {n}.", timeout_s=0.3) for n in range(8)))

        assert {reply.status for reply in replies} == {504}
        assert all(0.3 <= reply.took_s < 0.5 for reply in replies)
        await service.until_calm()
        await settles(lambda: engine.busy, 0)
        engine.always = translates
        assert (await service.ask()).words == ANSWER


async def test_an_engine_that_stays_silent_too_long_is_told_by_its_name(open_service: Opener) -> None:
    async with (
        ollamas(FaultyOllama(always=stops_in_the_middle)) as (url,),
        open_service(f"{url}&timeout_s=0.2") as service,
    ):
        reply = await service.ask()

        assert (reply.status, reply.engine) == (504, "ollama")
        assert reply.words == "ollama did not answer in time"


async def test_a_silent_replica_gets_no_more_work_once_it_is_found_out(
    open_service: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PROBE_AGAIN_S", 0.1)
    monkeypatch.setattr(http, "PROBE_TIMEOUT_S", 0.2)
    silent, well = FaultyOllama(), FaultyOllama()
    async with ollamas(silent, well) as urls, open_service(*urls) as service:
        silent.always = silent.probed = never_answers
        await settles(service.replicas_ready, [False, True])

        replies = await asyncio.gather(*(service.ask(f"Text {n}.", timeout_s=1) for n in range(12)))

        assert [reply.words for reply in replies] == [ANSWER] * 12
        assert silent.asked == 0


@pytest.mark.parametrize("breaks_off", [resets_at_once, resets_in_the_middle, closes_in_the_middle, ends_too_early])
class TestBreakingOff:
    async def test_once_is_made_good_by_a_second_try(self, open_service: Opener, breaks_off: Fault) -> None:
        engine = FaultyOllama(breaks_off)
        async with ollamas(engine) as urls, open_service(*urls) as service:
            assert (await service.ask()).words == ANSWER
            assert engine.asked == 2

    async def test_twice_is_told_without_the_address(self, open_service: Opener, breaks_off: Fault) -> None:
        engine = FaultyOllama(always=breaks_off)
        async with ollamas(engine) as urls, open_service(*urls) as service:
            reply = await service.ask()

            assert (reply.status, reply.engine) == (502, "ollama")
            assert reply.words.startswith("ollama ")
            assert "127.0.0.1" not in reply.words
            engine.always = translates
            assert (await service.ask()).words == ANSWER

    async def test_is_made_good_by_another_replica(self, open_service: Opener, breaks_off: Fault) -> None:
        broken, well = FaultyOllama(always=breaks_off), FaultyOllama()
        async with ollamas(broken, well) as urls, open_service(*urls) as service:
            replies = await asyncio.gather(*(service.ask(f"Text {n}.") for n in range(8)))

            assert [reply.words for reply in replies] == [ANSWER] * 8


NO_TRANSLATIONS = {
    "truncated JSON": sends(line("Guten ")[:-9]),
    "JSON truncated after a good line": sends(line("Guten ") + line("Morgen", done=True)[:20]),
    "a web page": sends(b"<html><body>Bad gateway</body></html>", content_type="text/html"),
    "a web page in disguise": sends(b"<html><body>Bad gateway</body></html>"),
    "another shape": sends(b'["Guten Morgen."]\n'),
    "another type": sends(b'{"response": 7, "done": true}\n'),
    "an empty text": sends(line("", done=True)),
    "no UTF-8": sends(b'{"response": "\xff\xfe", "done": true}\n'),
    "nothing at all": sends(b""),
}


@pytest.mark.parametrize("wrong", NO_TRANSLATIONS.values(), ids=NO_TRANSLATIONS.keys())
async def test_what_is_no_translation_is_told_and_never_remembered(open_service: Opener, wrong: Fault) -> None:
    engine = FaultyOllama(always=wrong)
    async with ollamas(engine) as urls, open_service(*urls) as service:
        reply = await service.ask()

        assert (reply.status, reply.engine) == (502, "ollama")
        assert reply.words.startswith("ollama ")
        assert "127.0.0.1" not in reply.words
        asked, engine.always = engine.asked, translates
        assert (await service.ask()).words == ANSWER
        assert engine.asked == asked + 1


async def test_an_answer_that_comes_byte_by_byte_is_read_whole(open_service: Opener) -> None:
    async with ollamas(FaultyOllama(answers_byte_by_byte)) as urls, open_service(*urls) as service:
        assert (await service.ask()).words == "Grüße, 🌍 Welt."


async def test_a_key_that_an_engine_says_back_is_not_passed_on(
    open_service: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTS_KEY", KEY)
    refusal = answer(f'{{"error":{{"message":"the key {KEY} is not allowed this model"}}}}'.encode(), 500)
    models = answer(b'{"data":[{"id":"m"}]}')
    finished = answer(b'data: {"choices":[{"text":"1","finish_reason":"stop"}]}\n\n', content_type="text/event-stream")
    script = Script({"/v1/models": models, "/v1/completions": finished})
    async with serving(script) as address:
        url = f"openai+http://{address}/v1?model=m&slots=2&style=translategemma&api_key_env=FAULTS_KEY"
        async with open_service(url) as service:
            script.replies["/v1/completions"] = refusal

            reply = await service.ask()

            assert (reply.status, reply.engine) == (502, "openai")
            assert "*** is not allowed" in reply.words
            assert KEY not in reply.words
            assert address not in reply.words


class TestBusy:
    """A server that has no room says 503, as an Ollama that loads a model does with OLLAMA_MAX_QUEUE full."""

    async def test_a_single_one_is_asked_twice_and_then_named(self, open_service: Opener) -> None:
        engine = FaultyOllama(always=BUSY)
        async with ollamas(engine) as urls, open_service(*urls) as service:
            reply = await service.ask()

            assert (reply.status, reply.engine, engine.asked) == (502, "ollama", 2)
            assert "503: server busy" in reply.words
            engine.always = translates
            assert (await service.ask()).words == ANSWER

    async def test_the_other_replica_takes_the_work(self, open_service: Opener) -> None:
        async with ollamas(FaultyOllama(always=BUSY), FaultyOllama()) as urls, open_service(*urls) as service:
            replies = await asyncio.gather(*(service.ask(f"Text {n}.") for n in range(20)))

            assert [reply.words for reply in replies] == [ANSWER] * 20

    async def test_one_that_is_busy_for_long_is_left_alone_for_a_while(self, open_service: Opener) -> None:
        engine = FaultyOllama(always=BUSY)
        async with ollamas(engine) as urls, open_service(*urls) as service:
            for n in range(FAILURES_TO_OPEN):
                await service.ask(f"Text {n}.")
            asked = engine.asked

            reply = await service.ask()

            assert (reply.status, reply.engine, engine.asked) == (502, "ollama", asked)
            assert "left alone for a moment" in reply.words
            assert reply.took_s < 0.2
            engine.always = translates
            await asyncio.sleep(SHORTEST_S)
            assert (await service.ask()).words == ANSWER

    async def test_an_ollama_with_a_short_queue_is_never_sent_more_than_its_slots(self, open_service: Opener) -> None:
        profile = structs.replace(profile_named("ollama-4"), slots=4)
        # A slot's next request may be there before the engine has noted that the last one's answer is out.
        async with running(create_app("ollama", profile, speed=50, max_queue=profile.slots)) as url:
            address = url.removeprefix("http://")
            async with open_service(url_of(address, model=profile.ollama_model)) as service:
                replies = await asyncio.gather(*(service.ask(f"Text {n}.") for n in range(40)))

                assert [reply.status for reply in replies] == [200] * 40
