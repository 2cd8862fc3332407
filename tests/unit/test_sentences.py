"""Where sentences end, in many languages: the table is the specification."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.sentences import sentence_ends


def cut_into_sentences(line: str, language: str) -> list[str]:
    ends = [0, *sentence_ends(line, language)]
    return [line[start:end].strip() for start, end in pairwise(ends)]


# Sentences as they are written one after the other on one line. The comment says what is tricky about them.
SPACED = [
    # titles, initials, countries
    ("en", ["Dr. Smith met J. R. R. Tolkien in the U.S. and Mrs. May.", "See e.g. Fig. 3 vs. No. 5.", "That is all."]),
    ("en", ["He moved to Washington, D.C. in 1999.", "I live in the U.S.", "It is big.", "The U.S. Army left."]),
    ("en", ["Gov. Brown, Sen. Cruz, Gen. Lee, Capt. Kirk and Rev. King of Acme Inc. met.", "J.R.R. Tolkien too."]),
    ("en", ["He lives at 5 Main St. in Boston.", "Go to St. Paul.", "P.S. I love you."]),
    # decimals, versions, addresses, times
    ("en", ["It costs $3.50 at https://shop.example/a.b?c=d.e or from me@host.example.", "Version 2.4.1 is out."]),
    ("en", ["I use Node.js, ASP.NET and file.txt.", "It was 1999.", "Then 2000 came.", "See Sec. 2 and vol. 4."]),
    ("en", ["He left at 5 p.m. on Monday.", "She stayed until 6 a.m. with i.e. two, etc. and left."]),
    # ellipses, marks in a row
    ("en", ["Wait... what?", "I thought… never mind.", "She said it was fine...", "Really?!", "Yes!!!", "Oh…!", "OK."]),
    # quotations and brackets
    ("en", ['"Really?" she asked.', 'He said "No way. I won\'t."', "Then he left.", '"Hello."', '"Hi."']),
    ("en", ["“Stop!” he cried.", "“Why?” she asked.", "He asked, 'Why?'", "It's over (really!).", "[Yes.]"]),
    # a list on one line
    ("en", ["First of all. 2) then this."]),
    ("en", ["1.", "Open the lid.", "2.", "Close it.", "3.", "Go."]),
    # chat without capitals
    ("en", ["hello.", "how are you?", "i am fine"]),
    ("en", ["Hi!", "\N{GRINNING FACE} How are you?"]),
    ("de", ["Das ist z. B. am 3. Mai im 19. Jahrhundert so.", "„Ja.“ sagte Dr. Müller.", "Vgl. Nr. 5 gem. Abs. 2!"]),
    ("de", ["Ludwig XIV. War König, geb. 1638, d. h. z.B. Franzose.", "Das kostet 1.234,56 EUR zzgl. MwSt. hier."]),
    ("de", ["Er sagte: „Ja.“", "Dann ging er zu Fa. Meier GmbH & Co. KG.", "Siehe Abb. 5, Bd. 4 usw."]),
    ("de", ["Das war's...", "Oder?", "Ja… vielleicht."]),
    ("fr", ["M. Dupont et Mme. Durand sont là.", "« Oui. » dit-il.", "C'est tout !"]),
    ("fr", ["J.-C. Martin est né en 50 av. J.-C. à Rome.", "Vraiment ?", "Quoi ?!", "Voir l'art. 5, p. ex. ici."]),
    ("fr", ["Il dit : « C’est vrai. »", "Elle partit au no 5, l'av. Foch."]),
    ("es", ["¿Qué tal?", "¡Bien!", "El Sr. López y la Dña. Ana llegaron.", "Véase la pág. 5, p. ej., el núm. 7."]),
    ("es", ["—¿Vienes? —preguntó.", "—No.", "Vive en EE. UU. desde 1990.", "¡¿Qué?!", "Dijo: «No.»", "Se fue."]),
    ("ca", ["El Sr. Puig i la Sra. Mas viuen a l'av. Diagonal, núm. 5.", "Què?"]),
    ("pt-BR", ["Olá, Sr. Silva, p. ex. aqui.", "A Profa. Souza mora na Av. Brasil, n.º 5.", "Tudo bem?"]),
    ("it", ["Il sig. Rossi e la prof.ssa Neri stanno in p.zza Dante.", "L'on. Verdi, a pag. 5, ecc. ed altro.", "Sì!"]),
    ("ro", ["Dl. Popescu locuiește pe str. Lungă nr. 5.", "De ex. în sec. al XX-lea.", "Da!"]),
    ("nl", ["Dhr. de Vries woont bijv. op nr. 5, d.w.z. hier, o.a. Jan.", "Zie blz. 3, enz. en art. 2.", "Dag!"]),
    ("sv", ["T.ex. dr. Svensson bor bl.a. på nr. 5, dvs. här.", "Kl. 5 den 3. maj kom han.", "Ja!"]),
    ("da", ["F.eks. hr. Hansen bor bl.a. i nr. 5, dvs. her.", "Den 5. maj kl. 5 kom han.", "Ja!"]),
    ("no", ["Den 5. mai kl. 5 kom hr. Hansen.", "Ja."]),
    ("fi", ["Esim. prof. Virtanen tuli 5. toukokuuta klo 5 mm. siksi.", "Ks. sivu 5, ns. uusi, jne. ja niin."]),
    ("et", ["Nt. prof. Tamm tuli 5. mail kell viis, vt. lk. 5 jne. ja nii.", "Jah!"]),
    ("hu", ["Pl. Dr. Kovács a 3. emeleten lakik, kb. öt éve.", "II. János Pál stb. és a 2. ábra.", "Jó!"]),
    ("pl", ["Np. dr. Kowalski mieszka przy ul. Długiej, tzn. obok al. Jana, m.in. tam.", "W 1990 r. tak było."]),
    ("cs", ["Např. Ing. Novák bydlí tj. zde, na ul. Dlouhá č. 5 apod. i jinde.", "Dne 3. května bylo hezky."]),
    ("sk", ["Napr. Ing. Novák býva na ul. Dlhej.", "Dňa 3. mája bolo pekne."]),
    ("sl", ["Npr. prof. Novak je prišel 5. maja, tj. včeraj.", "Da!"]),
    ("hr", ["Npr. prof. Horvat živi u ul. Dugoj br. 5, tj. ovdje.", "Dana 3. svibnja bilo je lijepo.", "Da!"]),
    ("sr", ["Др Петровић живи у ул. Дугој бр. 5, тј. овде.", "Дошао је 3. маја.", "Да!"]),
    ("bg", ["Проф. Иванов живее на ул. Витоша № 5, т.е. тук.", "През 1990 г. беше така.", "Да!"]),
    ("ru", ["А. С. Пушкин жил на ул. Ленина, т. е. здесь.", "См. рис. 5, гл. 2 и т. д. и др. места.", "Да!"]),
    ("ru", ["«Да!» — сказал он.", "— Нет! — крикнула она.", "— Уходи.", "Это стоит 5 тыс. руб. и больше."]),
    ("uk", ["Т. Г. Шевченко народився 1814 р. у Моринцях.", "Див. рис. 5 на вул. Шевченка.", "Так!"]),
    ("el", ["Ο κ. Παπαδόπουλος ήρθε, π.χ. χθες.", "Τι κάνεις;", "Βλ. Κεφ. 5 κ.λπ. εκεί.", "Εσύ\u037e", "Καλά· εσύ;"]),
    ("tr", ["Dr. Yılmaz 5. katta, Atatürk Cad. No. 5 adresinde oturuyor.", "II. Dünya Savaşı, vb. yerler.", "Evet!"]),
    ("hy", ["Ինչպե՞ս ես։", "Լավ եմ։", "Բարեւ:", "Շնորհակալությո՛ւն։"]),
    ("ka", ["გამარჯობა.", "როგორ ხარ?", "კარგად!"]),
    ("he", ['ד"ר כהן וגב\' לוי הגיעו לרח. הרצל 5.', "מה שלומך?", 'הוא אמר: "כן." והלך.', "המחיר 3.5 שקל."]),
    ("ar", ["قال أ.د. أحمد إن السعر 3.5 دولار.", "كيف حالك؟", "أنا بخير!"]),
    ("fa", ["دکتر احمدی آمد.", "حال شما چطور است؟", "خوبم!"]),
    ("ur", ["یہ ایک ٹیسٹ ہے۔", "آپ کیسے ہیں؟", "۳.۵ کلو۔"]),
    ("hi", ["डॉ. शर्मा और श्रीमती. वर्मा पृ. ३ पर ३.५ किमी चले।", "आप कैसे हैं?", "“हाँ।” उसने कहा।", "ठीक है!"]),
    ("mr", ["डॉ. पाटील आले.", "कसे आहात?", "ठीक आहे!"]),
    ("ne", ["डा. शर्मा आए।", "कस्तो छ?"]),
    ("bn", ["ড. রহমান এলেন।", "কেমন আছেন?", "ভালো!"]),
    ("ta", ["டாக்டர். குமார் வந்தார்.", "எப்படி இருக்கிறீர்கள்?"]),
    ("te", ["డా. రావు వచ్చారు.", "ఎలా ఉన్నారు?"]),
    ("si", ["ඔහු ආවා.", "කොහොමද?"]),
    ("am", ["ይህ ሙከራ ነው።", "ዶ/ር አበበ መጡ፡፡", "እንዴት ነህ?"]),
    ("ti", ["ሰላም።", "ከመይ ኣለኻ፧", "ጽቡቕ።"]),
    ("ko", ["안녕하세요.", '"네."라고 말했다.', "3.5km입니다.", "좋아요!"]),
    ("vi", ["TS. Nguyễn Văn A và PGS. Trần B sống ở TP. Hồ Chí Minh.", "Anh khỏe không?"]),
    ("id", ["Dr. Budi dan Ir. Soekarno tinggal di Jl. Merdeka No. 5.", "Apa kabar?", "Baik, dll. dan sebagainya."]),
    ("sw", ["Bw. Juma na Bi. Asha walikuja.", "Habari?"]),
    ("km", ["នេះជាការសាកល្បង។", "អ្នកសុខសប្បាយទេ?"]),
    ("my", ["ဒါက စမ်းသပ်မှုပါ။", "နေကောင်းလား။"]),
    ("lo", ["ນີ້ແມ່ນການທົດສອບ.", "ສະບາຍດີບໍ?"]),
    ("th", ["คุณสบายดีไหม?", "สบายดี!"]),
    ("bo", ["ཀྲུང་གོ།", "བོད་ལྗོངས།"]),
]  # fmt: skip
UNSPACED = [
    ("ja", ["彼は「はい。そうです。」と言った。", "今日は晴れです。", "本当？", "すごい…。", "うん！！"]),
    ("ja", ["「はい。」", "「いいえ。」"]),
    ("ja", ["（笑）本当ですか！？", "「はい。」と彼は言った。", "ええ、3.5kmです。", "え?!", "本当!?", "そう。"]),
    ("zh-Hans", ["他说：“好的。我去。”然后走了。", "今天天气很好！", "你呢？", "《红楼梦》好看！", "真的？！"]),
    ("zh-Hans", ["价格是3.5元。", "版本1.2.3发布了。", "请看www.example.com。", "“你好！”", "“再见。”他说。"]),
    ("zh-Hant", ["他說：「好的。我去。」然後走了。", "我們走吧……好。", "『真的？』我不知道。"]),
    ("my", ["သူလာတယ်။", "ကောင်းတယ်။"]),
    ("am", ["ሰላም ነው።", "እንዴት ነህ፧"]),
    ("ar", ["كيف حالك؟", "بخير!", "نعم."]),
    ("ur", ["وہ آیا۔", "کیا؟", "ہاں۔"]),
]  # fmt: skip


@pytest.mark.parametrize(("language", "sentences"), SPACED)
def test_sentences_with_spaces_between_them_are_told_apart(language: str, sentences: list[str]) -> None:
    assert cut_into_sentences(" ".join(sentences), language.partition("-")[0]) == sentences


@pytest.mark.parametrize(("language", "sentences"), UNSPACED)
def test_sentences_without_spaces_between_them_are_told_apart(language: str, sentences: list[str]) -> None:
    assert cut_into_sentences("".join(sentences), language.partition("-")[0]) == sentences


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "Is this it? i think so"),
        ("de", "Er wohnt in der Hauptstr. 5. Das ist nah."),
        ("de", "Ludwig XIV. Er war König."),
        ("zh", "他说：“你好。”我说：“再见！”"),
        ("he", 'הוא אמר: "כן." היא הלכה.'),
        ("en", "This is plan B. Then comes plan C."),
    ],
)
def test_where_it_cannot_be_told_two_sentences_stay_together(language: str, line: str) -> None:
    assert cut_into_sentences(line, language) == [line]


def test_a_sentence_far_into_a_long_line_is_found_like_the_first() -> None:
    sentences = [f"Dr. Smith sells {number} apples." for number in range(200)]

    assert cut_into_sentences(" ".join(sentences), "en") == sentences


def test_thai_is_cut_between_clauses_and_never_beside_a_number_or_a_foreign_word() -> None:
    clauses = [
        "คณะกรรมการจะประชุมกันอีกครั้งในบ่ายวันพฤหัสบดีเพื่อตัดสินใจว่าควรซ่อมแซมหรือเปลี่ยนสะพานเก่า",
        "เขามีเงิน 500 บาท และรถ Toyota คันหนึ่งซึ่งจอดอยู่หน้าบ้านของเพื่อนที่ทำงานในเมือง",
        "ชาวบ้านหลายคนหวังว่างานจะเสร็จก่อนฤดูหนาว",
    ]

    assert cut_into_sentences(" ".join(clauses), "th") == clauses


def test_short_thai_stays_whole() -> None:
    assert cut_into_sentences("วันนี้อากาศดีมาก เราไปเที่ยวกันเถอะ", "th") == ["วันนี้อากาศดีมาก เราไปเที่ยวกันเถอะ"]


@settings(max_examples=100, deadline=None)
@given(
    line=st.text(st.one_of(st.sampled_from('.!?。” "«»-1aAऄ가'), st.characters(codec=None, categories=None))),
    language=st.sampled_from(["en", "de", "zh", "ja", "th", "km", "am", "ko", "hi", "el"]),
)
def test_the_ends_rise_to_the_end_of_any_line(line: str, language: str) -> None:
    ends = sentence_ends(line, language)

    assert ends == sorted(set(ends))
    assert ends[-1] == len(line)
    assert ends[0] > 0 or not line
