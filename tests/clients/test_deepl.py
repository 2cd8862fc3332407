"""The official `deepl` package and its command line, pointed at Dragoman, and what Weblate sends."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import deepl
import pytest
import requests
from deepl import http_client
from deepl.api_data import ModelType, MultilingualGlossaryDictionaryEntries, MultilingualGlossaryInfo

from dragoman.server import heartbeat
from tests.clients.serving import ListedGate, running_server

KEY = "any-key"
HEADERS = {"Authorization": f"DeepL-Auth-Key {KEY}"}


@contextmanager
def connected(server_url: str, key: str = KEY) -> Iterator[deepl.DeepLClient]:
    client = deepl.DeepLClient(key, server_url=server_url)
    yield client
    client.close()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def client(server_url: str) -> Iterator[deepl.DeepLClient]:
    with connected(server_url) as client:
        yield client


@pytest.fixture(scope="module")
def keyed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that knows three keys."""
    gate = ListedGate({"good": 1_000, "poor": 4, "hasty": 1_000})
    with running_server(tmp_path_factory.mktemp("keyed"), gate=gate) as url:
        yield url


@pytest.fixture
def with_key(keyed_url: str) -> Iterator[Callable[[str], deepl.DeepLClient]]:
    with ExitStack() as stack:
        yield lambda key: stack.enter_context(connected(keyed_url, key))


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own five retries would take a minute."""
    monkeypatch.setattr(http_client, "max_network_retries", 0)


class TestTexts:
    def test_a_string_in_is_a_result_out(self, client: deepl.DeepLClient) -> None:
        result = client.translate_text("Good morning.", source_lang="EN", target_lang="DE")

        assert isinstance(result, deepl.TextResult)
        assert result.text not in ("", "Good morning.")
        assert result.detected_source_lang == "EN"
        assert result.billed_characters == len("Good morning.")
        assert result.model_type_used is None

    def test_a_list_in_is_a_list_of_the_same_order_out(self, client: deepl.DeepLClient) -> None:
        texts = ["One chair.", "", "Two tables.", "One chair."]

        results = client.translate_text(texts, source_lang="EN", target_lang="FR")

        assert isinstance(results, list)
        assert [one.billed_characters for one in results] == list(map(len, texts))
        assert results[0].text == results[3].text != results[2].text
        assert results[1].text == ""

    def test_the_language_is_detected_where_none_is_given(self, client: deepl.DeepLClient) -> None:
        results = client.translate_text(
            ["Wo ist der Bahnhof? Ich habe mich verlaufen.", "Où est la gare, s'il vous plaît ?", "42"],
            target_lang="EN-GB",
        )

        assert isinstance(results, list)
        assert [one.detected_source_lang for one in results] == ["DE", "FR", "EN"]
        assert results[2].text == "42"

    @pytest.mark.parametrize("target", ["EN-US", "en-gb", "PT-BR", "PT-PT", "ZH-HANS", "zh-hant", "ES-419", "NB"])
    def test_the_languages_that_deepl_names_are_known(self, client: deepl.DeepLClient, target: str) -> None:
        result = client.translate_text("Guten Morgen.", source_lang="DE", target_lang=target)

        assert isinstance(result, deepl.TextResult)
        assert result.text != "Guten Morgen."

    def test_every_option_of_the_client_is_taken(self, client: deepl.DeepLClient) -> None:
        result = client.translate_text(
            "<p>One.</p>",
            source_lang="EN",
            target_lang="DE",
            context="About numbers.",
            split_sentences=deepl.SplitSentences.NO_NEWLINES,
            preserve_formatting=True,
            formality=deepl.Formality.PREFER_MORE,
            tag_handling="xml",
            tag_handling_version="v2",
            outline_detection=False,
            non_splitting_tags=["a", "b"],
            splitting_tags="p,q",
            ignore_tags=["code"],
            model_type=ModelType.PREFER_QUALITY_OPTIMIZED,
            extra_body_parameters={"enable_beta_languages": True},
        )

        assert isinstance(result, deepl.TextResult)
        assert result.model_type_used == "quality_optimized"

    def test_a_server_url_that_has_v2_in_it_already_finds_nothing(self, server_url: str) -> None:
        with pytest.raises(deepl.DeepLException, match="Not found, message: "):
            deepl.DeepLClient(KEY, server_url=f"{server_url}/v2/").get_usage()


class TestTags:
    def test_xml_comes_back_with_its_tags(self, client: deepl.DeepLClient) -> None:
        text = 'Press <x id="1"/> to <b>open</b> the <code>door</code>.'

        result = client.translate_text(
            text, source_lang="EN", target_lang="DE", tag_handling="xml", ignore_tags=["code"]
        )

        assert isinstance(result, deepl.TextResult)
        assert '<x id="1"/>' in result.text
        assert "<code>door</code>" in result.text
        assert result.text.count("<b>") == result.text.count("</b>") == 1
        assert "open" not in result.text

    def test_html_is_translated_by_its_words(self, client: deepl.DeepLClient) -> None:
        text = '<p title="Hello there">Good <i>morning</i></p><script>let word = 1</script>'

        result = client.translate_text(text, source_lang="EN", target_lang="DE", tag_handling="html")

        assert isinstance(result, deepl.TextResult)
        assert result.text.endswith("<script>let word = 1</script>")
        assert "morning" not in result.text
        assert "Hello there" not in result.text

    def test_without_outline_detection_only_splitting_tags_end_a_sentence(self, client: deepl.DeepLClient) -> None:
        text = "<doc><p>One</p><p>Two</p></doc>"

        def translated(**options: Any) -> str:  # noqa: ANN401 - any option of the client
            result = client.translate_text(text, source_lang="EN", target_lang="DE", tag_handling="xml", **options)
            assert isinstance(result, deepl.TextResult)
            return result.text

        as_one = translated(outline_detection=False)
        assert as_one != translated()
        assert translated(outline_detection=False, splitting_tags=["p"]) == translated()


class TestFormality:
    def test_it_is_preferred_where_the_language_has_none(self, client: deepl.DeepLClient) -> None:
        result = client.translate_text("Hallo.", source_lang="DE", target_lang="EN-GB", formality="prefer_less")

        assert isinstance(result, deepl.TextResult)

    def test_it_is_refused_where_the_language_has_none(self, client: deepl.DeepLClient) -> None:
        with pytest.raises(deepl.DeepLException, match=r"Bad request, message: .*prefer_more"):
            client.translate_text("Hallo.", source_lang="DE", target_lang="EN-GB", formality="more")

    def test_it_is_refused_where_the_list_says_that_it_cannot_be_followed(self, client: deepl.DeepLClient) -> None:
        formal = {one.code: one.supports_formality for one in client.get_target_languages()}

        assert formal["DE"] is False  # the simulated engine follows no instructions
        with pytest.raises(deepl.DeepLException, match="Bad request"):
            client.translate_text("Hello.", source_lang="EN", target_lang="DE", formality="more")


class TestLists:
    def test_sources_have_no_regions(self, client: deepl.DeepLClient) -> None:
        sources = {one.code: one.name for one in client.get_source_languages()}

        assert sources["DE"] == "German"
        assert {"EN", "PT", "ZH"} <= set(sources)
        assert not [code for code in sources if "-" in code]

    def test_targets_are_asked_for_in_the_body_of_a_get(self, client: deepl.DeepLClient) -> None:
        targets = {one.code for one in client.get_target_languages()}

        assert {"DE", "EN-GB", "EN-US", "PT-BR", "PT-PT", "ZH-HANS", "ZH-HANT", "ES-419"} <= targets
        assert not {"EN", "PT"} & targets

    def test_every_listed_target_is_translated_into(self, client: deepl.DeepLClient) -> None:
        for target in client.get_target_languages():
            client.translate_text("12", source_lang="EN" if target.code != "EN-US" else "DE", target_lang=target.code)

    def test_glossaries_are_for_pairs_of_these_languages(self, client: deepl.DeepLClient) -> None:
        pairs = {(one.source_lang, one.target_lang) for one in client.get_glossary_languages()}

        assert {("en", "de"), ("de", "en"), ("ja", "zh")} <= pairs
        assert ("en", "en") not in pairs


class TestUsage:
    def test_it_rises_by_what_was_translated(self, client: deepl.DeepLClient) -> None:
        before = client.get_usage().character

        client.translate_text(["Hello.", "Naïve 🙂"], source_lang="EN", target_lang="DE")

        after = client.get_usage().character
        assert after.count is not None
        assert before.count is not None
        assert after.count - before.count == len("Hello.") + len("Naïve 🙂")
        assert after.valid
        assert not after.limit_reached

    def test_a_limit_is_told(self, with_key: Callable[[str], deepl.DeepLClient]) -> None:
        assert with_key("poor").get_usage().character.limit == 4


class TestGlossariesOfOnePair:
    def test_one_lives_from_its_making_to_its_end(self, client: deepl.DeepLClient) -> None:
        made = client.create_glossary("bikes", "EN", "DE", {"hub": "Nabe", "rim": "Felge"})

        assert (made.ready, made.source_lang, made.target_lang, made.entry_count) == (True, "EN", "DE", 2)
        assert made.creation_time.tzinfo is not None
        assert client.get_glossary(made.glossary_id).name == "bikes"
        assert [one.glossary_id for one in client.list_glossaries()] == [made.glossary_id]
        assert client.get_glossary_entries(made) == {"hub": "Nabe", "rim": "Felge"}
        client.delete_glossary(made)
        assert client.list_glossaries() == []
        with pytest.raises(deepl.GlossaryNotFoundException):
            client.get_glossary(made.glossary_id)

    def test_its_terms_stand_in_the_translation(self, client: deepl.DeepLClient) -> None:
        made = client.create_glossary("terms", "EN", "DE", {"hub": "Nabe"})

        result = client.translate_text_with_glossary("The hub of the wheel.", made)

        assert isinstance(result, deepl.TextResult)
        assert "Nabe" in result.text
        with pytest.raises(deepl.DeepLException, match=r"Bad request, message: .*no terms from fr to de"):
            client.translate_text("Le moyeu.", source_lang="FR", target_lang="DE", glossary=made.glossary_id)
        client.delete_glossary(made)

    def test_csv_is_taken(self, client: deepl.DeepLClient) -> None:
        made = client.create_glossary_from_csv("table", "EN", "DE", 'hub,Nabe,en,de\n"rim, outer",Felge,en,de\n')

        assert client.get_glossary_entries(made) == {"hub": "Nabe", "rim, outer": "Felge"}
        client.delete_glossary(made)

    def test_an_unknown_one_is_not_found(self, client: deepl.DeepLClient) -> None:
        unknown = "00000000-0000-4000-8000-000000000000"

        with pytest.raises(deepl.GlossaryNotFoundException):
            client.get_glossary_entries(unknown)
        with pytest.raises(deepl.GlossaryNotFoundException):
            client.delete_glossary(unknown)
        with pytest.raises(deepl.DeepLException, match="Not found, message: There is no glossary"):
            client.translate_text("Hi.", source_lang="EN", target_lang="DE", glossary=unknown)


class TestGlossariesOfPairs:
    @pytest.fixture
    def made(self, client: deepl.DeepLClient) -> Iterator[MultilingualGlossaryInfo]:
        made = client.create_multilingual_glossary(
            "bikes", [entries("EN", "DE", hub="Nabe"), entries("EN", "FR", hub="moyeu")]
        )
        yield made
        client.delete_multilingual_glossary(made)

    def test_it_is_listed_with_its_pairs(self, client: deepl.DeepLClient, made: MultilingualGlossaryInfo) -> None:
        (listed,) = client.list_multilingual_glossaries()

        assert listed.glossary_id == made.glossary_id
        assert pairs(listed) == pairs(client.get_multilingual_glossary(made.glossary_id)) == pairs(made)
        assert pairs(made) == [("EN", "DE", 1), ("EN", "FR", 1)]

    def test_it_is_none_of_v2(self, client: deepl.DeepLClient, made: MultilingualGlossaryInfo) -> None:
        assert client.list_glossaries() == []
        with pytest.raises(deepl.GlossaryNotFoundException, match="v3/glossaries"):
            client.get_glossary(made.glossary_id)

    def test_it_gets_another_name(self, client: deepl.DeepLClient, made: MultilingualGlossaryInfo) -> None:
        renamed = client.update_multilingual_glossary_name(made, "parts")

        assert (renamed.name, pairs(renamed)) == ("parts", pairs(made))

    def test_a_patch_adds_to_the_terms(self, client: deepl.DeepLClient, made: MultilingualGlossaryInfo) -> None:
        changed = client.update_multilingual_glossary_dictionary(made, entries("EN", "DE", rim="Felge", hub="Radnabe"))

        assert pairs(changed)[0] == ("EN", "DE", 2)
        assert terms(client, made, "EN", "DE") == {"hub": "Radnabe", "rim": "Felge"}

    def test_a_put_replaces_the_terms(self, client: deepl.DeepLClient, made: MultilingualGlossaryInfo) -> None:
        put = client.replace_multilingual_glossary_dictionary(made, entries("EN", "DE", rim="Felge"))

        assert (put.source_lang, put.target_lang, put.entry_count) == ("EN", "DE", 1)
        assert terms(client, made, "EN", "DE") == {"rim": "Felge"}

    def test_a_dictionary_is_deleted_alone(self, client: deepl.DeepLClient, made: MultilingualGlossaryInfo) -> None:
        client.delete_multilingual_glossary_dictionary(made, made.dictionaries[0])

        assert pairs(client.get_multilingual_glossary(made.glossary_id)) == [("EN", "FR", 1)]
        with pytest.raises(deepl.GlossaryNotFoundException, match="no terms for en->de"):
            terms(client, made, "EN", "DE")

    def test_several_go_one_before_the_other(self, client: deepl.DeepLClient, made: MultilingualGlossaryInfo) -> None:
        other = client.create_multilingual_glossary("other", [entries("EN", "DE", hub="Drehkreuz", wheel="Rad")])

        result = client.translate_text(
            "The hub of the wheel.", source_lang="EN", target_lang="DE", glossary_ids=[made, other]
        )

        assert isinstance(result, deepl.TextResult)
        assert "Nabe" in result.text
        assert "Rad" in result.text
        assert "Drehkreuz" not in result.text
        client.delete_multilingual_glossary(other)


class TestDocuments:
    @pytest.fixture(autouse=True)
    def hurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The client asks again after 5 s."""
        clock = SimpleNamespace(time=time.time, sleep=lambda _: time.sleep(0.05))
        monkeypatch.setattr("deepl.translator.time", clock)

    @pytest.mark.parametrize(
        ("name", "content", "kept"),
        [
            ("notes.txt", "Good morning.\n\nWhere is the station?\n", "\n\n"),
            ("page.html", "<h1>Good morning</h1>\n<p>Where is the <b>station</b>?</p>\n", "</h1>\n<p>"),
            ("film.srt", "1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n", "1\n00:00:01,000 --> 00:00:02,000\n"),
        ],
    )
    def test_a_file_comes_back_translated(
        self, client: deepl.DeepLClient, tmp_path: Path, name: str, content: str, kept: str
    ) -> None:
        source, target = tmp_path / name, tmp_path / f"de-{name}"
        source.write_text(content)

        status = client.translate_document_from_filepath(source, target, source_lang="EN", target_lang="DE")

        translated = target.read_text()
        assert status.done
        assert status.billed_characters
        assert kept in translated
        assert "morning" not in translated

    def test_a_stream_with_a_name_for_it_loses_the_name_on_its_way(self, client: deepl.DeepLClient) -> None:
        written = io.BytesIO()

        client.translate_document(
            io.BytesIO(b"<!doctype html><p>Good morning</p>"), written, target_lang="DE", filename="page.html"
        )

        assert written.getvalue().startswith(b"<!doctype html><p>")

    @pytest.mark.usefixtures("once")
    def test_it_is_fetched_once(self, client: deepl.DeepLClient) -> None:
        handle = client.translate_document_upload("Good morning.", target_lang="DE", filename="notes.txt")
        client.translate_document_wait_until_done(handle)

        client.translate_document_download(handle, io.BytesIO())

        with pytest.raises(deepl.DocumentNotReadyException, match="Document not ready"):
            client.translate_document_download(handle, io.BytesIO())

    def test_a_wrong_handle_is_not_found(self, client: deepl.DeepLClient) -> None:
        with pytest.raises(deepl.DeepLException, match="Not found, message: There is no such document"):
            client.translate_document_get_status(deepl.DocumentHandle("0" * 32, "1" * 64))

    def test_what_is_no_document_is_a_bad_request(self, client: deepl.DeepLClient) -> None:
        with pytest.raises(deepl.DeepLException, match="Bad request, message: Documents of the kind"):
            client.translate_document_upload(bytes(range(256)), target_lang="DE", filename="film.avi")


class TestErrors:
    def test_a_wrong_key_is_an_authorization_failure(self, with_key: Callable[[str], deepl.DeepLClient]) -> None:
        with pytest.raises(deepl.AuthorizationException, match="No such key"):
            with_key("wrong").translate_text("Hi.", target_lang="DE")

    def test_a_quota_that_is_used_up_is_not_tried_again(self, with_key: Callable[[str], deepl.DeepLClient]) -> None:
        with pytest.raises(deepl.QuotaExceededException, match="used up"):
            with_key("poor").translate_text("Hello there.", target_lang="DE")

    @pytest.mark.usefixtures("once")
    def test_too_many_requests_are_that(self, with_key: Callable[[str], deepl.DeepLClient]) -> None:
        with pytest.raises(deepl.TooManyRequestsException, match="wait a second"):
            with_key("hasty").translate_text("Hi.", target_lang="DE")

    def test_what_is_wrong_is_a_bad_request_that_says_why(self, client: deepl.DeepLClient) -> None:
        with pytest.raises(deepl.DeepLException, match="Bad request, message: Unknown language 'XX'"):
            client.translate_text("Hi.", target_lang="XX")

    def test_what_this_server_cannot_follow_is_refused(self, client: deepl.DeepLClient) -> None:
        with pytest.raises(deepl.DeepLException, match="Bad request, message: 'style_id'"):
            client.translate_text("Hi.", target_lang="DE", style_rule="some-rule")

    def test_what_is_not_served_is_not_found(self, client: deepl.DeepLClient) -> None:
        with pytest.raises(deepl.DeepLException, match="Not found, message: Nothing is served"):
            client.rephrase_text("Hi.")

    def test_too_much_is_told_in_numbers(self, client: deepl.DeepLClient) -> None:
        with pytest.raises(deepl.DeepLException, match=r"413 .*more than the 1000"):
            client.translate_text(["a"] * 1_001, source_lang="EN", target_lang="DE")

    @pytest.mark.usefixtures("once")
    def test_a_text_that_cannot_be_translated_is_a_permanent_failure(self, tmp_path: Path) -> None:
        with (
            running_server(tmp_path, "simulated://instant?mischief=empty:1") as url,
            connected(url) as client,
            pytest.raises(deepl.DeepLException, match="Bad request"),
        ):
            client.translate_text("Good morning.", source_lang="EN", target_lang="DE")


class TestSlowAnswers:
    def test_one_call_is_one_request_however_long_it_takes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(http_client, "min_connection_timeout", 1.0)
        monkeypatch.setattr(heartbeat, "FIRST_BLANK_S", 0.3)
        monkeypatch.setattr(heartbeat, "EVERY_S", 0.3)
        with running_server(tmp_path, "simulated://instant?stall_rate=1&stall_s=2.5") as url, connected(url) as client:
            result = client.translate_text("Good morning.", source_lang="EN", target_lang="DE")
            used = client.get_usage().character.count

        assert isinstance(result, deepl.TextResult)
        assert result.text
        assert used == len("Good morning.")

    @pytest.mark.usefixtures("once")
    def test_a_late_failure_is_not_taken_for_an_empty_list(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(heartbeat, "FIRST_BLANK_S", 0.1)
        with (
            running_server(tmp_path, "simulated://instant?stall_rate=1&stall_s=5", timeout_s=0.5) as url,
            connected(url) as client,
            pytest.raises(AttributeError),
        ):
            client.translate_text(["Good morning."], source_lang="EN", target_lang="DE")


class TestCommandLine:
    def test_it_translates(self, server_url: str) -> None:
        said = command_line(server_url, "text", "--from", "EN", "--to", "DE", "--show-detected-source", "Good morning.")

        assert said.startswith("Detected source language: EN\n")
        assert len(said.splitlines()) == 2

    def test_it_lists_languages_and_usage(self, server_url: str) -> None:
        assert "DE: German\n" in command_line(server_url, "languages")
        assert "Characters: " in command_line(server_url, "usage")

    def test_it_makes_glossaries(self, server_url: str) -> None:
        said = command_line(server_url, "glossary", "create", "--name", "cli", "--from", "EN", "--to", "DE", "hub=Nabe")

        (made,) = [line.split("\t")[0].strip() for line in said.splitlines() if "\tcli" in line]
        assert command_line(server_url, "glossary", "entries", made).strip() == "hub\tNabe"
        assert "successfully deleted" in command_line(server_url, "glossary", "delete", made)

    def test_it_translates_documents(self, server_url: str, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("Good morning.\n")

        command_line(server_url, "document", "--to", "DE", str(tmp_path / "notes.txt"), str(tmp_path / "out"))

        assert (tmp_path / "out" / "notes.txt").read_text() not in ("", "Good morning.\n")


class TestWeblate:
    """What its DeepL service sends, to the URL `http://host/v2/`."""

    def test_placeholders_come_back(self, server_url: str) -> None:
        text = 'Hello <x id="7"></x>, you have <x id="12"></x> files.'
        body = {
            "text": [text, "Cancel"],
            "source_lang": "EN",
            "target_lang": "DE",
            "formality": "prefer_more",
            "tag_handling": "xml",
            "ignore_tags": ["x"],
        }

        answer = requests.post(f"{server_url}/v2/translate", json=body, headers=HEADERS, timeout=5)

        first, second = answer.json()["translations"]
        assert first["text"].count('<x id="7"></x>') == first["text"].count('<x id="12"></x>') == 1
        assert second["text"] not in ("", "Cancel")
        assert set(second) == {"detected_source_language", "text", "tag_handling_version"}

    def test_glossaries_are_made_listed_and_deleted(self, server_url: str) -> None:
        body = {
            "name": "weblate:1:en:de:abc",
            "source_lang": "en",
            "target_lang": "de",
            "entries": "hub\tNabe\nrim\tFelge",
            "entries_format": "tsv",
        }

        made = requests.post(f"{server_url}/v2/glossaries", json=body, headers=HEADERS, timeout=5)
        listed = requests.get(f"{server_url}/v2/glossaries", headers=HEADERS, timeout=5).json()["glossaries"]
        path = f"{server_url}/v2/glossaries/{made.json()['glossary_id']}"
        deleted = requests.delete(path, headers=HEADERS, timeout=5)

        assert made.status_code == 201
        assert {one["name"]: one["glossary_id"] for one in listed}[body["name"]] == made.json()["glossary_id"]
        assert (deleted.status_code, deleted.content) == (204, b"")


def entries(source: str, target: str, **terms: str) -> MultilingualGlossaryDictionaryEntries:
    return MultilingualGlossaryDictionaryEntries(source, target, terms)


def pairs(info: MultilingualGlossaryInfo) -> list[tuple[str, str, int]]:
    return [(one.source_lang, one.target_lang, one.entry_count) for one in info.dictionaries]


def terms(client: deepl.DeepLClient, info: MultilingualGlossaryInfo, source: str, target: str) -> dict[str, str]:
    (found,) = client.get_multilingual_glossary_entries(info, source, target).dictionaries
    return deepl.convert_tsv_to_dict(str(found.entries))


def command_line(server_url: str, *arguments: str) -> str:
    """What `python -m deepl` prints."""
    call = [sys.executable, "-m", "deepl", "--auth-key", KEY, "--server-url", server_url, *arguments]
    done = subprocess.run(call, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
