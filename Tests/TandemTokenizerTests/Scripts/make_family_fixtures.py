#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the fixtures of model families, of unigram models and of SentencePiece.

    pip install tokenizers sentencepiece && python3 make_family_fixtures.py

families.json holds one byte-level model, trained without cutting its texts, so that every cut shows in the ids, and for
each family its pre-tokeniser (with the pattern strings of the real files) or normaliser and the ids that Hugging Face
`tokenizers` gives for TEXTS. unigram*.json are small unigram models; *.model are models of `sentencepiece` with the ids
it gives. Deterministic.
"""

import io
import json
import pathlib
import random
from collections.abc import Iterable

import sentencepiece
from make_fixtures import TEXTS, TRAINING_TEXT, expected
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, trainers
from tokenizers import pre_tokenizers as pre
from tokenizers.pre_tokenizers import PreTokenizer

FIXTURES = pathlib.Path(__file__).parents[1] / "Fixtures"

# The letters of the scripts with two cases, as DeepSeek LLM lists them.
CASED = """
41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A 38C 38E-3A1 3A3-3F5
3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15
1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC
1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D
212F-2134 2139 213C-213F 2145-2149 214E 2183 2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B
A722-A76F A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3 104D8-104FB
10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943
""".split()
CASED_CLASS = "[" + "".join("-".join(chr(int(end, 16)) for end in part.split("-")) for part in CASED) + "]"
IDEOGRAPHS = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"

UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
UPPER_NOT_HAN = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
LOWER_NOT_HAN = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
LEAD = r"[^\r\n\p{L}\p{N}]?"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
SPELT = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
SYMBOLS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|"
DIGITS = "digits"

PATTERNS = {
    "llama4": [f"{LEAD}{UPPER}*{LOWER}+{SHORT}?|{LEAD}{UPPER}+{LOWER}*{SHORT}?|" + r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES],
    "tekken": [f"{LEAD}{UPPER}*{LOWER}+|{LEAD}{UPPER}+{LOWER}*|" + r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES],
    "phi4": [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"],
    "qwen3.5": [SHORT + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + SPACES],
    "dolma2": [SHORT + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + SYMBOLS + SPACES],
    "qwen2-gguf": [SPELT + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + SYMBOLS + SPACES],
    "deepseek-v3": [
        r"\p{N}{1,3}",
        "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
        r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
        "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
    ],
    "deepseek-coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", IDEOGRAPHS, DIGITS],
    "deepseek-llm": [
        "[\r\n]", r"\s?" + CASED_CLASS + "+", "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", r"\s+$",
        IDEOGRAPHS, DIGITS,
    ],
    "bloom": [" ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"],
    "kimi": [
        rf"[\p{{Han}}]+|{LEAD}{UPPER_NOT_HAN}*{LOWER_NOT_HAN}+{SHORT}?|{LEAD}{UPPER_NOT_HAN}+{LOWER_NOT_HAN}*{SHORT}?"
        r"|\p{N}{1,3}" + SYMBOLS + SPACES
    ],
    "gpt-4o-gguf": [
        rf"{LEAD}((?=[\p{{L}}])([^a-z]))*((?=[\p{{L}}])([^A-Z]))+{SPELT}?|{LEAD}((?=[\p{{L}}])([^a-z]))+((?=[\p{{L}}])([^A-Z]))*{SPELT}?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES
    ],
    "superbpe": [r"\p{N}+", r"(?=(\d{3})+(?!\d))"],
    "chameleon": ["<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )", r"\p{N}", r"[\p{P}!-/:-@\[-`{-~]"],
    "constructs-1": [r"(?<=\p{L})(?=\p{N})|\b\w{2,3}?\b|(?>a+|b)c*|[[:alpha:]&&[^aeiou]]+|[[:punct:]]{2,}|(?m:.)\R?"],
    "constructs-2": [r"(?i)hello|the|ba{2,3}|\h{2}|\S+?(?=\s|$)|^\s+|\x41|\u00e9|(?<!a)B|[^\P{L}]+\d*"],
    "constructs-3": [r"[^\n]*[aeiou]\b|.{1,3}(?:\r?\n)?|\n++"],
    "constructs-4": [r"\p{Hiragana}+|\p{Katakana}+|\p{Hangul}{1,2}|\p{Cyrillic}+?|\p{^L}+|\p{Arabic}"],
    "constructs-5": [r"(?:[a-z]+(?:'[a-z]+)?|[A-Z]{2,}|\d+(?:[.,]\d+)*|\p{Sc}|\p{Sm}+|\p{Zs}+|\p{Cc})"],
}  # fmt: skip


def byte_level(use_regex: bool = False, prefix: bool = False) -> PreTokenizer:
    return pre.ByteLevel(add_prefix_space=prefix, use_regex=use_regex)


def split(pattern: str, behavior: str = "isolated", invert: bool = False) -> PreTokenizer:
    return pre.Split(Regex(pattern), behavior, invert)


COMPONENTS = {
    "falcon": [pre.Punctuation("contiguous"), byte_level(True), pre.Digits(False), split("[0-9][0-9][0-9]")],
    "after-bytes": [pre.Punctuation("contiguous"), byte_level(True), pre.Digits(True), split(r"\p{L}{1,3}", "merged_with_next")],
    "previous": [split(r"\s+", "merged_with_previous"), byte_level()],
    "next": [split(r"\s+", "merged_with_next"), byte_level()],
    "contiguous": [split(r"[\s\d]", "contiguous"), byte_level()],
    "removed": [split(r"\s+|[aeiou]", "removed"), byte_level()],
    "inverted": [split(r"\w+", "removed", True), byte_level()],
    "inverted-previous": [split(r"\w+", "merged_with_previous", True), byte_level(True)],
    "whitespace": [pre.Whitespace(), byte_level()],
    "whitespace-split": [pre.WhitespaceSplit(), byte_level(False, True)],
    "bert": [pre.BertPreTokenizer(), byte_level()],
    "delimiter": [pre.CharDelimiterSplit("e"), byte_level()],
    "fixed-length": [pre.FixedLength(3), byte_level()],
    "strings": [pre.Split("the", "merged_with_next"), pre.Split(" ", "merged_with_previous"), byte_level()],
    "punctuation": [pre.Punctuation("merged_with_previous"), pre.Punctuation("removed"), pre.Digits(False), byte_level(True, True)],
}  # fmt: skip

NORMALIZERS = {
    "nfkc": [normalizers.NFKC()],
    "nfkd-accents-case": [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()],
    "nmt-strip-collapse": [normalizers.Nmt(), normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")],
    "replace": [normalizers.Replace(Regex(r"\p{P}+"), "<.>"), normalizers.Replace("a", "")],
    "prepend": [normalizers.Prepend("_ ")],
}

UNITS = [
    " ", "  ", "\n", "\r\n", "\t", "'s", "'S", "'re", "'LL", "\u017f", "\u0301", "\u200d", "\u2581", "0", "12", "345", "\U0001f600",
    "<", "a", "B", "the", "Hello", "\u00e9", "\u00df", "\u4e2d", "\u6587", "\u65e5\u672c", "\ud55c\uad6d", "\u0430\u0431\u0432",
    "\u0639\u0631\u0628\u064a", "\u0939\u093f\u0928\u094d\u0926\u0940", "\u00bc", "\u2167", "$", "=", "~", "!?", "...", "_",
    "\u00a0", "\u3000", "\u0085", "\u2028", "`", "^", "\ufb01", "\u2460", "\uff41", "e\u0301", "\u01c5", "\u02b0", "\x00", "\u2e4e",
    "\U00011de0", "\u1715", "\u216f", "\ufdfa",
]  # fmt: skip


def random_texts(count: int, seed: int) -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices(UNITS, k=generator.randint(1, 25))) for _ in range(count)]


FAMILY_TEXTS = [text for text in TEXTS if len(text) < 90 and "<|" not in text] + random_texts(40, 7)


def families() -> dict[str, object]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = byte_level()
    trainer = trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=pre.ByteLevel.alphabet(), max_token_length=6, show_progress=False
    )
    tokenizer.train_from_iterator(TRAINING_TEXT.splitlines(keepends=True) + random_texts(60, 8), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    result = []
    sequences = {
        name: [pre.Digits(True) if pattern == DIGITS else split(pattern) for pattern in patterns] + [byte_level()]
        for name, patterns in PATTERNS.items()
    } | COMPONENTS
    for name, steps in sequences.items():
        tokenizer.pre_tokenizer = pre.Sequence(steps)
        result.append(family(name, tokenizer))
    tokenizer.pre_tokenizer = byte_level(True)
    for name, steps in NORMALIZERS.items():
        tokenizer.normalizer = normalizers.Sequence(steps)
        result.append(family(name, tokenizer))
    return {"model": model, "texts": FAMILY_TEXTS, "families": result}


def family(name: str, tokenizer: Tokenizer) -> dict[str, object]:
    document = json.loads(tokenizer.to_str())
    return {
        "name": name,
        "pre_tokenizer": document["pre_tokenizer"],
        "normalizer": document["normalizer"],
        "ids": [tokenizer.encode(text).ids for text in FAMILY_TEXTS],
    }


RULES = "\n".join(
    ["2460\t31", "FB01\t66 69", "FF41\t61", "65 301\tE9", "A0\t20", "3000\t20", "2167\t56 49 49 49", "200D\t", "41\t61", "42\t62"]
)


def sentencepieces() -> Iterable[tuple[str, bytes]]:
    """Models of sentencepiece, small because their character maps are."""
    lines = [line for line in TRAINING_TEXT.splitlines() if line.strip()] * 2
    rules = FIXTURES / "rules.tsv"
    rules.write_text(RULES + "\n")
    common = {"character_coverage": 0.98, "minloglevel": 2, "num_threads": 1, "hard_vocab_limit": False}
    identity = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False}
    kinds = {
        "sp-bpe-identity": {"model_type": "bpe", "vocab_size": 560, "byte_fallback": True, "user_defined_symbols": ["<sep>", "fox"], **identity},
        "sp-bpe-rules": {"model_type": "bpe", "vocab_size": 560, "byte_fallback": True, "normalization_rule_tsv": str(rules)},
        "sp-bpe-no-prefix": {"model_type": "bpe", "vocab_size": 560, "byte_fallback": True, "add_dummy_prefix": False, "allow_whitespace_only_pieces": True, "split_by_whitespace": False, **identity},
        "sp-unigram-rules": {"model_type": "unigram", "vocab_size": 260, "normalization_rule_tsv": str(rules)},
        "sp-unigram-bytes": {"model_type": "unigram", "vocab_size": 520, "byte_fallback": True, **identity},
    }  # fmt: skip
    for name, options in kinds.items():
        output = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=output, **common, **options)
        yield name, output.getvalue()
    rules.unlink()


def unigrams(charmap: bytes) -> Iterable[tuple[str, Tokenizer]]:
    """Unigram models of tokenizers."""
    lines = TRAINING_TEXT.splitlines(keepends=True) * 3
    for name in ("unigram", "unigram_bytes"):
        tokenizer = Tokenizer(models.Unigram())
        specials = ["<pad>", "<unk>", "<|end|>"]
        if name == "unigram":
            tokenizer.normalizer = normalizers.Precompiled(charmap)
            tokenizer.pre_tokenizer = pre.Sequence([pre.WhitespaceSplit(), pre.Metaspace()])
            tokenizer.decoder = decoders.Metaspace()
        else:
            specials += [f"<0x{byte:02X}>" for byte in range(256)]
            tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
            tokenizer.pre_tokenizer = pre.Split("\u2581", "merged_with_next")
            tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
        trainer = trainers.UnigramTrainer(vocab_size=600, special_tokens=specials, unk_token="<unk>", show_progress=False)
        tokenizer.train_from_iterator(lines, trainer)
        document = json.loads(tokenizer.to_str())
        document["added_tokens"] = [token for token in document["added_tokens"] if not token["content"].startswith("<0x")]
        document["model"]["byte_fallback"] = name == "unigram_bytes"
        tokenizer = Tokenizer.from_str(json.dumps(document))
        tokenizer.add_tokens([AddedToken("<left>", lstrip=True), AddedToken("word", single_word=True)])
        yield name, tokenizer


def write(name: str, value: object) -> None:
    (FIXTURES / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def main() -> None:
    write("families.json", families())
    charmap = b""
    for name, content in sentencepieces():
        (FIXTURES / f"{name}.model").write_bytes(content)
        processor = sentencepiece.SentencePieceProcessor(model_proto=content)
        texts = [text for text in FAMILY_TEXTS if "\x00" not in text] + ["a" * count for count in range(2, 12)]
        write(f"{name}.expected.json", {"texts": texts, "ids": [processor.encode(text) for text in texts]})
        if name == "sp-unigram-rules":
            charmap = sentencepiece_charmap(content)
    for name, tokenizer in unigrams(charmap):
        write(f"{name}.json", json.loads(tokenizer.to_str()))
        write(f"{name}.expected.json", expected(tokenizer, [text for text in TEXTS if "\x00" not in text]))


def sentencepiece_charmap(content: bytes) -> bytes:
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(content)
    return proto.normalizer_spec.precompiled_charsmap


if __name__ == "__main__":
    main()
