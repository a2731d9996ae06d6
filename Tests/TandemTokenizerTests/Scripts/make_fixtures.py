#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the fixture tokenizers and their expected ids with Hugging Face `tokenizers`.

    pip install tokenizers && python3 make_fixtures.py

For every entry of CONFIGURATIONS it trains a small byte-pair model on TRAINING_TEXT and writes NAME.json to
../Fixtures, and the ids that the reference gives for TEXTS to NAME.expected.json; and to normalization.json
random texts with their forms C and D. Deterministic.
"""

import json
import pathlib
import random
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TRAINING_TEXT = """\
Once upon a time there was a small fox who lived by the river. It's a story that we've told before, and
they'll tell it again: the fox couldn't swim, so she asked the heron, "Would you carry me?"
THE HERON SAID: I'LL CARRY YOU, BUT YOU'RE HEAVY! And they went 1234 steps, 56 leaps and 7,890 hops.
def add(a, b):\n    return a + b\n\n    # comment\n\tif x == 10:\n\t\tprint("x = %d" % x)
Der Fuchs fragte den Reiher über den Fluß; die Straße war naß. Le héron répondit : « où ça ? »
Лиса спросила цаплю о реке. 狐狸问苍鹭关于河的事。 キツネはサギに川のことを尋ねた。 여우가 왜가리에게 강을 물었다.
HelloWorld camelCase XMLHttpRequest iPhone McDonald O'Neill's DON'T can't
"""

TEXTS = [
    "",
    " ",
    "  ",
    "\n",
    " \n",
    "\n\n  \n",
    "a",
    "Once upon a time",
    " Once  upon   a    time ",
    "It's we've THEY'LL can't CAN'T o'neill's 'tis 'Ve'rE",
    "a'ſ b'ſ",
    "fox, heron; river. \"quoted\" (a) [b] {c} <d>",
    "12345 678 9 1,234.5 ½ Ⅻ ² ٣٤٥",
    "def f(x):\n    return x\n\n\n\tif y:\n\t\tpass\r\n  \r\n end  ",
    "trailing newline\n",
    "trailing spaces   ",
    "trailing mix \n \t ",
    "https://example.com/a/b?c=d&e=f#g //\n/\n",
    "über Straße naïve cafe\u0301 café e\u0301e\u0301 \u0301lead",
    "Лиса и цапля: река!",
    "狐狸问苍鹭。キツネ、여우 \u1112\u1161\u11ab",
    "😀😃 👩‍👩‍👧‍👦 🇺🇳 ✌🏽",
    "a\u00a0b\u2003c\u3000d\u0085e\u2028f",
    "\u200b\u200d\ufeffx",
    "HelloWorld camelCase XMLHttpRequest iPhone ABCdef abcDEF ǅungla ʰello ABC中def中GHI",
    "tab\tseparated\t\tvalues",
    "x" * 100,
    "ab" * 60 + " " + "ба" * 50,
    "<|end|>",
    "before <|end|> after<|end|><|end|>",
    "a <mask> b<mask>c",
    "word wordy sword word. WORD word",
    "<left> x <left>y  <right>  z <right>",
    "<|STOP|> <|eNd|> <|stop|>",
    "<0x41> <0x0A> <unk>",
    "\u0000\u0001\u001f\u007f",
    "▁a ▁▁b c▁d ▁",
    "  two leading",
    "Ǆ Ǆ'S ﬀ ẞ İstanbul",
    "नमस्ते दुनिया สวัสดีชาวโลก שלום עולם مرحبا بالعالم",
    "\U00010400\U0001d400 \U000e0001 \uffff",
]


def byte_level_model():
    return models.BPE(fuse_unk=False, byte_fallback=False), pre_tokenizers.ByteLevel.alphabet()


def split(pattern, behavior="isolated"):
    return pre_tokenizers.Split(Regex(pattern), behavior)


def end_token(**options):
    return AddedToken("<|end|>", special=True, normalized=False, **options)


def sequence_with_bytes(*steps):
    return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def byte_level(pre_tokenizer, normalizer=None, **model_options):
    tokenizer = Tokenizer(models.BPE(**model_options))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def gpt2():
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer, [end_token()]


def roberta():
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True))
    added = [
        AddedToken("<mask>", special=True, lstrip=True, normalized=False),
        AddedToken("<left>", lstrip=True),
        AddedToken("<right>", rstrip=True),
        AddedToken("word", single_word=True),
        end_token(),
    ]
    return tokenizer, added


def llama3():
    tokenizer = byte_level(sequence_with_bytes(split(LLAMA3)), ignore_merges=True)
    return tokenizer, [end_token()]


def qwen2():
    return byte_level(sequence_with_bytes(split(QWEN2)), normalizers.NFC()), [end_token()]


def cl100k():
    return byte_level(sequence_with_bytes(split(CL100K))), [end_token()]


def o200k():
    return byte_level(sequence_with_bytes(split(O200K))), [end_token()]


def starcoder():
    steps = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return byte_level(pre_tokenizers.Sequence(steps)), [end_token(), AddedToken("    ", normalized=True)]


def punctuated():
    steps = [pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(), split(r"\p{N}{1,3}")]
    tokenizer = byte_level(sequence_with_bytes(*steps), normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase()]))
    return tokenizer, [end_token(), AddedToken("<|Stop|>", normalized=True), AddedToken("Café", normalized=True)]


def llama2():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer, [AddedToken("<unk>", special=True), end_token(), AddedToken("<mask>", rstrip=True, special=True)]


def gemma():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer, [AddedToken("<unk>", special=True), end_token()]


def metaspace_unknown():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    return tokenizer, [AddedToken("<unk>", special=True), end_token()]


CONFIGURATIONS = [
    gpt2, roberta, llama3, qwen2, cl100k, o200k, starcoder, punctuated, llama2, gemma, metaspace_unknown,
]  # fmt: skip
BYTE_TOKENS = [f"<0x{byte:02X}>" for byte in range(256)]


def train(configuration, lines, vocabulary_size):
    tokenizer, added = configuration()
    is_byte_level = tokenizer.decoder is not None and "ByteLevel" in repr(tokenizer.decoder)
    specials = [token.content for token in added if token.special]
    uses_bytes = tokenizer.model.byte_fallback
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=specials + (BYTE_TOKENS if uses_bytes else []),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if is_byte_level else [],
        # Without a pre-tokenizer a line is one word: keep words short enough to learn from.
        max_token_length=12,
        show_progress=False,
    )
    pre_tokenizer = tokenizer.pre_tokenizer
    if not is_byte_level and (pre_tokenizer is None or "Split" in repr(pre_tokenizer)):
        tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    tokenizer.train_from_iterator(lines, trainer)
    document = json.loads(tokenizer.to_str())
    if uses_bytes:
        document["added_tokens"] = [t for t in document["added_tokens"] if t["content"] not in BYTE_TOKENS]
    if not is_byte_level and (pre_tokenizer is None or "Split" in repr(pre_tokenizer)):
        restored = Tokenizer(models.BPE())
        if pre_tokenizer is not None:
            restored.pre_tokenizer = pre_tokenizer
        document["pre_tokenizer"] = json.loads(restored.to_str())["pre_tokenizer"]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.add_special_tokens([token for token in added if token.special])
    tokenizer.add_tokens([token for token in added if not token.special])
    end = tokenizer.token_to_id("<|end|>")
    if configuration in (llama3, llama2, gemma):
        template = processors.TemplateProcessing(single="<|end|> $A", special_tokens=[("<|end|>", end)])
        tokenizer.post_processor = (
            processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
            if configuration is llama3
            else template
        )
    elif configuration is roberta:
        tokenizer.post_processor = processors.RobertaProcessing(("<|end|>", end), ("<mask>", tokenizer.token_to_id("<mask>")))
    return tokenizer


def expected(tokenizer, texts):
    plain = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    # Bytes that are no UTF-8 are replaced in another way there; only texts that come back whole are compared.
    decoded = [tokenizer.decode(ids, skip_special_tokens=True) for ids in plain]
    spelt = [tokenizer.decode(ids, skip_special_tokens=False) for ids in plain]
    tokenizer.encode_special_tokens = True
    unparsed = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    tokenizer.encode_special_tokens = False
    return {
        "reference": f"Hugging Face tokenizers {tokenizers.__version__}",
        "texts": texts,
        "ids": plain,
        "with_special_tokens": [tokenizer.encode(text).ids for text in texts],
        "special_tokens_as_text": unparsed,
        "decoded": decoded,
        "decoded_with_special_tokens": spelt,
    }


def normalization():
    """Texts rich in what composes, decomposes or is reordered: triples of text, form C, form D."""
    ranges = [
        (0x41, 0x5A), (0xC0, 0x17F), (0x300, 0x345), (0x5B0, 0x5C2), (0x9BE, 0x9CD), (0xF71, 0xF84),
        (0x1100, 0x1175), (0x11A7, 0x11C2), (0x1F00, 0x1FFC), (0xAC00, 0xAC40),
    ]  # fmt: skip
    generator = random.Random(3)
    triples = []
    while len(triples) < 500:
        text = "".join(chr(generator.randint(*generator.choice(ranges))) for _ in range(generator.randint(1, 8)))
        if all(unicodedata.category(character) != "Cn" for character in text):
            triples.append([text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)])
    return triples


def main():
    folder = pathlib.Path(__file__).parents[1] / "Fixtures"
    folder.mkdir(exist_ok=True)
    (folder / "normalization.json").write_text(json.dumps(normalization(), separators=(",", ":")) + "\n")
    lines = TRAINING_TEXT.splitlines(keepends=True) * 3
    for configuration in CONFIGURATIONS:
        name = configuration.__name__
        tokenizer = train(configuration, lines, 600)
        document = json.loads(tokenizer.to_str())
        (folder / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
        result = json.dumps(expected(tokenizer, TEXTS), ensure_ascii=False, separators=(",", ":"))
        (folder / f"{name}.expected.json").write_text(result + "\n")
        print(f"{name}: {tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
