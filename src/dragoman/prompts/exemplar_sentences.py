"""The example sentences base models are shown: the same three meanings in each language, so any pair can be formed.

A statement with a number, a question, and a longer sentence in two parts. They show the language, its script and its
punctuation, in the form a shop would use. Digits are 0-9 everywhere: a number is to come out as it went in.
"""

from __future__ import annotations

Sentences = tuple[str, str, str]

SENTENCES: dict[str, Sentences] = {
    "ar": (
        "سيصل طلبك خلال 3 أيام.",
        "أين يمكنني شراء تذكرة قطار؟",
        "إذا لم يعمل المصباح، فيرجى فحص الكابل والمحاولة مرة أخرى.",
    ),
    "bg": (
        "Вашата поръчка ще пристигне след 3 дни.",
        "Къде мога да купя билет за влак?",
        "Ако лампата не светне, моля, проверете кабела и опитайте отново.",
    ),
    "bn": (
        "আপনার অর্ডার 3 দিনের মধ্যে পৌঁছে যাবে।",
        "আমি কোথায় ট্রেনের টিকিট কিনতে পারি?",
        "বাতিটি না জ্বললে, দয়া করে তারটি পরীক্ষা করে আবার চেষ্টা করুন।",
    ),
    "ca": (
        "La seva comanda arribarà d'aquí a 3 dies.",
        "On puc comprar un bitllet de tren?",
        "Si el llum no s'encén, comprovi el cable i torni-ho a provar.",
    ),
    "cs": (
        "Vaše objednávka dorazí za 3 dny.",
        "Kde si mohu koupit jízdenku na vlak?",
        "Pokud se lampa nerozsvítí, zkontrolujte prosím kabel a zkuste to znovu.",
    ),
    "da": (
        "Din ordre ankommer om 3 dage.",
        "Hvor kan jeg købe en togbillet?",
        "Hvis lampen ikke tænder, skal du kontrollere kablet og prøve igen.",
    ),
    "de": (
        "Ihre Bestellung kommt in 3 Tagen an.",
        "Wo kann ich eine Zugfahrkarte kaufen?",
        "Wenn die Lampe nicht angeht, prüfen Sie bitte das Kabel und versuchen Sie es noch einmal.",
    ),
    "el": (
        "Η παραγγελία σας θα φτάσει σε 3 ημέρες.",
        "Πού μπορώ να αγοράσω ένα εισιτήριο τρένου;",
        "Αν η λάμπα δεν ανάβει, ελέγξτε το καλώδιο και δοκιμάστε ξανά.",
    ),
    "en": (
        "Your order will arrive in 3 days.",
        "Where can I buy a train ticket?",
        "If the lamp does not turn on, please check the cable and try again.",
    ),
    "es": (
        "Su pedido llegará en 3 días.",
        "¿Dónde puedo comprar un billete de tren?",
        "Si la lámpara no se enciende, revise el cable e inténtelo de nuevo.",
    ),
    "es-MX": (
        "Su pedido llegará en 3 días.",
        "¿Dónde puedo comprar un boleto de tren?",
        "Si la lámpara no enciende, revise el cable e inténtelo de nuevo.",
    ),
    "et": (
        "Teie tellimus saabub 3 päeva pärast.",
        "Kust ma saan osta rongipileti?",
        "Kui lamp ei sütti, kontrollige kaablit ja proovige uuesti.",
    ),
    "fa": (
        "سفارش شما تا 3 روز دیگر می‌رسد.",
        "از کجا می‌توانم بلیت قطار بخرم؟",
        "اگر چراغ روشن نشد، لطفاً کابل را بررسی کنید و دوباره امتحان کنید.",
    ),
    "fi": (
        "Tilauksesi saapuu 3 päivän kuluttua.",
        "Mistä voin ostaa junalipun?",
        "Jos lamppu ei syty, tarkista johto ja yritä uudelleen.",
    ),
    "fil-PH": (
        "Darating ang iyong order sa loob ng 3 araw.",
        "Saan ako makakabili ng tiket sa tren?",
        "Kung hindi umiilaw ang lampara, pakisuri ang kable at subukang muli.",
    ),
    "fr": (
        "Votre commande arrivera dans 3 jours.",
        "Où puis-je acheter un billet de train\u00a0?",
        "Si la lampe ne s'allume pas, vérifiez le câble et réessayez.",
    ),
    "fr-CA": (
        "Votre commande arrivera dans 3 jours.",
        "Où puis-je acheter un billet de train?",
        "Si la lampe ne s'allume pas, vérifiez le câble et réessayez.",
    ),
    "gu": (
        "તમારો ઓર્ડર 3 દિવસમાં પહોંચી જશે.",
        "હું ટ્રેનની ટિકિટ ક્યાંથી ખરીદી શકું?",
        "જો લેમ્પ ચાલુ ન થાય, તો કૃપા કરીને કેબલ તપાસો અને ફરી પ્રયાસ કરો.",
    ),
    "he": (
        "ההזמנה שלך תגיע בעוד 3 ימים.",
        "איפה אפשר לקנות כרטיס רכבת?",
        "אם המנורה לא נדלקת, יש לבדוק את הכבל ולנסות שוב.",
    ),
    "hi": (
        "आपका ऑर्डर 3 दिन में पहुँच जाएगा।",
        "मैं ट्रेन का टिकट कहाँ से खरीद सकता हूँ?",
        "अगर लैंप चालू न हो, तो कृपया केबल की जाँच करें और फिर से कोशिश करें।",
    ),
    "hr": (
        "Vaša narudžba stiže za 3 dana.",
        "Gdje mogu kupiti kartu za vlak?",
        "Ako se svjetiljka ne upali, provjerite kabel i pokušajte ponovno.",
    ),
    "hu": (
        "A rendelése 3 nap múlva megérkezik.",
        "Hol tudok vonatjegyet venni?",
        "Ha a lámpa nem kapcsol be, ellenőrizze a kábelt, és próbálja meg újra.",
    ),
    "id": (
        "Pesanan Anda akan tiba dalam 3 hari.",
        "Di mana saya bisa membeli tiket kereta?",
        "Jika lampu tidak menyala, periksa kabelnya dan coba lagi.",
    ),
    "is": (
        "Pöntunin þín berst eftir 3 daga.",
        "Hvar get ég keypt lestarmiða?",
        "Ef ekki kviknar á lampanum, athugaðu þá snúruna og reyndu aftur.",
    ),
    "it": (
        "Il suo ordine arriverà tra 3 giorni.",
        "Dove posso comprare un biglietto del treno?",
        "Se la lampada non si accende, controlli il cavo e riprovi.",
    ),
    "ja": (
        "ご注文の商品は3日後に届きます。",
        "電車の切符はどこで買えますか？",
        "ランプがつかない場合は、ケーブルを確認してもう一度お試しください。",
    ),
    "kn": (
        "ನಿಮ್ಮ ಆರ್ಡರ್ 3 ದಿನಗಳಲ್ಲಿ ತಲುಪುತ್ತದೆ.",
        "ನಾನು ರೈಲು ಟಿಕೆಟ್ ಎಲ್ಲಿ ಖರೀದಿಸಬಹುದು?",
        "ದೀಪ ಉರಿಯದಿದ್ದರೆ, ದಯವಿಟ್ಟು ಕೇಬಲ್ ಪರಿಶೀಲಿಸಿ ಮತ್ತು ಮತ್ತೆ ಪ್ರಯತ್ನಿಸಿ.",
    ),
    "ko": (
        "주문하신 상품은 3일 후에 도착합니다.",
        "기차표는 어디에서 살 수 있나요?",
        "램프가 켜지지 않으면, 케이블을 확인하고 다시 시도해 주세요.",
    ),
    "lt": (
        "Jūsų užsakymas bus pristatytas po 3 dienų.",
        "Kur galiu nusipirkti traukinio bilietą?",
        "Jei lempa neįsijungia, patikrinkite laidą ir bandykite dar kartą.",
    ),
    "lv": (
        "Jūsu pasūtījums tiks piegādāts pēc 3 dienām.",
        "Kur es varu nopirkt vilciena biļeti?",
        "Ja lampa neieslēdzas, lūdzu, pārbaudiet kabeli un mēģiniet vēlreiz.",
    ),
    "ml": (
        "നിങ്ങളുടെ ഓർഡർ 3 ദിവസത്തിനുള്ളിൽ എത്തും.",
        "എനിക്ക് എവിടെ നിന്ന് ട്രെയിൻ ടിക്കറ്റ് വാങ്ങാം?",
        "വിളക്ക് തെളിയുന്നില്ലെങ്കിൽ, ദയവായി കേബിൾ പരിശോധിച്ച് വീണ്ടും ശ്രമിക്കുക.",
    ),
    "mr": (
        "तुमची ऑर्डर 3 दिवसांत पोहोचेल.",
        "मला रेल्वेचे तिकीट कुठे विकत घेता येईल?",
        "दिवा लागत नसेल, तर कृपया केबल तपासा आणि पुन्हा प्रयत्न करा.",
    ),
    "nl": (
        "Uw bestelling komt over 3 dagen aan.",
        "Waar kan ik een treinkaartje kopen?",
        "Als de lamp niet aangaat, controleer dan de kabel en probeer het opnieuw.",
    ),
    "no": (
        "Bestillingen din kommer om 3 dager.",
        "Hvor kan jeg kjøpe en togbillett?",
        "Hvis lampen ikke slår seg på, må du sjekke kabelen og prøve igjen.",
    ),
    "pa": (
        "ਤੁਹਾਡਾ ਆਰਡਰ 3 ਦਿਨਾਂ ਵਿੱਚ ਪਹੁੰਚ ਜਾਵੇਗਾ।",
        "ਮੈਂ ਰੇਲ ਗੱਡੀ ਦੀ ਟਿਕਟ ਕਿੱਥੋਂ ਖਰੀਦ ਸਕਦਾ ਹਾਂ?",
        "ਜੇ ਲੈਂਪ ਚਾਲੂ ਨਹੀਂ ਹੁੰਦਾ, ਤਾਂ ਕਿਰਪਾ ਕਰਕੇ ਕੇਬਲ ਦੀ ਜਾਂਚ ਕਰੋ ਅਤੇ ਦੁਬਾਰਾ ਕੋਸ਼ਿਸ਼ ਕਰੋ।",
    ),
    "pl": (
        "Twoje zamówienie dotrze za 3 dni.",
        "Gdzie mogę kupić bilet na pociąg?",
        "Jeśli lampa się nie włącza, sprawdź kabel i spróbuj ponownie.",
    ),
    "pt": (
        "Seu pedido chegará em 3 dias.",
        "Onde posso comprar uma passagem de trem?",
        "Se a luminária não acender, verifique o cabo e tente novamente.",
    ),
    "pt-PT": (
        "A sua encomenda chegará dentro de 3 dias.",
        "Onde posso comprar um bilhete de comboio?",
        "Se o candeeiro não acender, verifique o cabo e tente novamente.",
    ),
    "ro": (
        "Comanda dumneavoastră va ajunge în 3 zile.",
        "De unde pot cumpăra un bilet de tren?",
        "Dacă lampa nu se aprinde, verificați cablul și încercați din nou.",
    ),
    "ru": (
        "Ваш заказ прибудет через 3 дня.",
        "Где можно купить билет на поезд?",
        "Если лампа не включается, проверьте кабель и попробуйте ещё раз.",
    ),
    "sk": (
        "Vaša objednávka príde o 3 dni.",
        "Kde si môžem kúpiť lístok na vlak?",
        "Ak sa lampa nerozsvieti, skontrolujte kábel a skúste to znova.",
    ),
    "sl": (
        "Vaše naročilo bo prispelo čez 3 dni.",
        "Kje lahko kupim vozovnico za vlak?",
        "Če se svetilka ne prižge, preverite kabel in poskusite znova.",
    ),
    "sr": (
        "Ваша поруџбина стиже за 3 дана.",
        "Где могу да купим карту за воз?",
        "Ако се лампа не упали, проверите кабл и покушајте поново.",
    ),
    "sr-Latn": (
        "Vaša porudžbina stiže za 3 dana.",
        "Gde mogu da kupim kartu za voz?",
        "Ako se lampa ne upali, proverite kabl i pokušajte ponovo.",
    ),
    "sv": (
        "Din beställning kommer fram om 3 dagar.",
        "Var kan jag köpa en tågbiljett?",
        "Om lampan inte tänds, kontrollera kabeln och försök igen.",
    ),
    "sw": (
        "Agizo lako litafika baada ya siku 3.",
        "Ninaweza kununua wapi tiketi ya treni?",
        "Ikiwa taa haiwaki, tafadhali angalia kebo na ujaribu tena.",
    ),
    "ta": (
        "உங்கள் ஆர்டர் 3 நாட்களில் வந்து சேரும்.",
        "நான் எங்கே ரயில் டிக்கெட் வாங்கலாம்?",
        "விளக்கு எரியவில்லை என்றால், கேபிளைச் சரிபார்த்து மீண்டும் முயற்சிக்கவும்.",
    ),
    "te": (
        "మీ ఆర్డర్ 3 రోజుల్లో వస్తుంది.",
        "నేను రైలు టికెట్ ఎక్కడ కొనవచ్చు?",
        "దీపం వెలగకపోతే, దయచేసి కేబుల్‌ను తనిఖీ చేసి మళ్లీ ప్రయత్నించండి.",
    ),
    "th": (
        "คำสั่งซื้อของคุณจะมาถึงภายใน 3 วัน",
        "ฉันจะซื้อตั๋วรถไฟได้ที่ไหน",
        "หากโคมไฟไม่ติด โปรดตรวจสอบสายไฟแล้วลองอีกครั้ง",
    ),
    "tr": (
        "Siparişiniz 3 gün içinde ulaşacak.",
        "Nereden tren bileti alabilirim?",
        "Lamba yanmazsa lütfen kabloyu kontrol edip tekrar deneyin.",
    ),
    "uk": (
        "Ваше замовлення прибуде через 3 дні.",
        "Де можна купити квиток на поїзд?",
        "Якщо лампа не вмикається, перевірте кабель і спробуйте ще раз.",
    ),
    "ur": (
        "آپ کا آرڈر 3 دن میں پہنچ جائے گا۔",
        "میں ٹرین کا ٹکٹ کہاں سے خرید سکتا ہوں؟",
        "اگر لیمپ آن نہ ہو، تو براہ کرم کیبل چیک کریں اور دوبارہ کوشش کریں۔",
    ),
    "vi": (
        "Đơn hàng của bạn sẽ đến sau 3 ngày.",
        "Tôi có thể mua vé tàu ở đâu?",
        "Nếu đèn không sáng, vui lòng kiểm tra dây cáp và thử lại.",
    ),
    "zh-Hans": (
        "您的订单将在3天后送达。",
        "我在哪里可以买到火车票？",
        "如果灯不亮，请检查电线，然后再试一次。",
    ),
    "zh-Hant": (
        "您的訂單將在3天後送達。",
        "我在哪裡可以買到火車票？",
        "如果燈不亮，請檢查電線，然後再試一次。",
    ),
    "zu": (
        "I-oda yakho izofika ezinsukwini ezi-3.",
        "Ngingalithenga kuphi ithikithi lesitimela?",
        "Uma isibani singakhanyi, sicela uhlole ikhebula bese uzama futhi.",
    ),
}
