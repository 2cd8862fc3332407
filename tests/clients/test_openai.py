"""The official `openai` package against a running server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from tests.clients.serving import ListedGate, running_server


@pytest.fixture
def client(server_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server_url}/v1", api_key="any", max_retries=0) as client:
        yield client


def test_the_model_names_the_pair(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="dragoman/en-de",
        messages=[
            {"role": "system", "content": "You are a translator."},
            {"role": "user", "content": "Good morning, {name}!"},
        ],
        temperature=0,
    )

    text = answer.choices[0].message.content or ""
    assert "{name}" in text
    assert text != "Good morning, {name}!"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer.model == "dragoman/en-de"


def test_fields_in_the_body_and_in_metadata_give_the_same(client: OpenAI) -> None:
    def asked(model: str, extra: dict[str, object]) -> str | None:
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "The weather is fine today."}], extra_body=extra
        )
        return answer.choices[0].message.content

    pair = {"source": "en", "target": "fr"}
    in_body, in_metadata = asked("any", dict(pair)), asked("any", {"metadata": pair})

    assert in_body == in_metadata == asked("dragoman/en-fr", {}) == asked("dragoman/fr", {})


def test_a_stream_ends_with_the_tokens_that_were_asked_for(client: OpenAI) -> None:
    whole = client.chat.completions.create(
        model="dragoman/en-de", messages=[{"role": "user", "content": "Where is the station?"}]
    )
    stream = client.chat.completions.create(
        model="dragoman/en-de",
        messages=[{"role": "user", "content": "Where is the station?"}],
        stream=True,
        stream_options={"include_usage": True},
    )

    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.usage is not None for chunk in chunks] == [*[False] * (len(chunks) - 1), True]


def test_the_models_are_listed_and_each_can_be_fetched_and_used(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]

    assert client.models.retrieve("dragoman/pt-BR").id in names
    for name in names[:3]:
        assert client.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hello there."}])
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


def test_a_model_of_somebody_else_is_a_bad_request_that_says_how_to_ask(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="dragoman/en-de") as refused:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])

    assert refused.value.param == "model"


@pytest.mark.parametrize("model", ["dragoman/klingon", "dragoman/en-jp", "dragoman/pt-br"])
def test_languages_that_are_unknown_or_unclear_are_bad_requests(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello"}])


def test_keys_and_quotas_raise_the_clients_own_errors(tmp_path: Path) -> None:
    with running_server(tmp_path, gate=ListedGate({"good": 10, "hasty": 10})) as url:

        def ask(key: str, text: str) -> None:
            with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
                client.chat.completions.create(model="dragoman/en-de", messages=[{"role": "user", "content": text}])

        ask("good", "Hello")
        with pytest.raises(openai.AuthenticationError):
            ask("bad", "Hello")
        with pytest.raises(openai.RateLimitError) as used_up:
            ask("good", "Good morning")
        with pytest.raises(openai.RateLimitError) as too_soon:
            ask("hasty", "Hello")

    assert (used_up.value.code, too_soon.value.code) == ("insufficient_quota", "rate_limit_exceeded")


def test_a_used_up_quota_is_asked_once(tmp_path: Path) -> None:
    gate = ListedGate({"good": 0})
    with (
        running_server(tmp_path, gate=gate) as url,
        OpenAI(base_url=f"{url}/v1", api_key="good", max_retries=5) as client,
        pytest.raises(openai.RateLimitError),
    ):
        client.chat.completions.create(model="dragoman/en-de", messages=[{"role": "user", "content": "Hello"}])
