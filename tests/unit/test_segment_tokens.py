"""What the estimate of a text's tokens promises."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.tokens import estimate_tokens

# Counted with Gemma 3's tokenizer.
COUNTED = [
    ("The committee will meet again on Thursday afternoon to decide whether the old bridge should be repaired or "
     "replaced. Many residents hope that the work will be finished before winter.", 32),
    ("Lautakunta kokoontuu uudelleen torstaina iltapäivällä päättämään, korjataanko vanha silta vai korvataanko se "
     "uudella. Monet asukkaat toivovat, että työt valmistuvat ennen talvea.", 53),
    ("Ủy ban sẽ họp lại vào chiều thứ Năm để quyết định xem nên sửa chữa hay thay thế cây cầu cũ. Nhiều người dân hy "
     "vọng công việc sẽ hoàn thành trước mùa đông.", 38),
    ("Комитет снова соберётся в четверг днём, чтобы решить, следует ли отремонтировать или заменить старый мост. "
     "Многие жители надеются, что работы завершатся до зимы.", 43),
    ("ستجتمع اللجنة مرة أخرى بعد ظهر يوم الخميس لتقرر ما إذا كان ينبغي إصلاح الجسر القديم أو استبداله. ويأمل العديد "
     "من السكان أن تنتهي الأعمال قبل الشتاء.", 43),
    ("समिति गुरुवार दोपहर को फिर से मिलेगी और तय करेगी कि पुराने पुल की मरम्मत की जाए या उसे बदला जाए। कई निवासियों को "
     "उम्मीद है कि काम सर्दियों से पहले पूरा हो जाएगा।", 38),
    ("คณะกรรมการจะประชุมกันอีกครั้งในบ่ายวันพฤหัสบดีเพื่อตัดสินใจว่าควรซ่อมแซมหรือเปลี่ยนสะพานเก่า "
     "ชาวบ้านหลายคนหวังว่างานจะเสร็จก่อนฤดูหนาว", 47),
    ("위원회는 목요일 오후에 다시 모여 낡은 다리를 수리할지 교체할지 결정할 예정이다. 많은 주민들은 공사가 겨울 전에 "
     "끝나기를 바라고 있다.", 39),
    ("委員会は木曜日の午後に再び会合を開き、古い橋を修理するか架け替えるかを決める予定だ。多くの住民は、冬になる前に工事が"
     "終わることを望んでいる。", 42),
    ("委员会将于星期四下午再次开会，决定是修复还是更换那座旧桥。许多居民希望工程能在冬天到来之前完工。", 30),
    ("for (int i = 0; i < n; i++) { total += values[i] * 2.5; }", 28),
    ("12345678", 8),
    ("ꆈꌠꁱꂷ", 12),
    ("𞤆𞤵𞤤𞤢𞤪", 20),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tokens"), COUNTED)
def test_the_estimate_is_near_the_truth_and_rather_above_it(text: str, tokens: int) -> None:
    assert 0.75 * tokens <= estimate_tokens(text) <= 1.6 * tokens + 1


@settings(max_examples=50, deadline=None)
@given(parts=st.lists(st.text(st.characters(codec=None, categories=None)), max_size=4))
def test_a_part_never_costs_more_than_the_whole(parts: list[str]) -> None:
    whole = estimate_tokens("".join(parts))

    assert all(estimate_tokens(part) <= whole for part in itertools.chain([""], parts))
    assert whole <= sum(map(estimate_tokens, parts))
