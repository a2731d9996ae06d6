// SPDX-License-Identifier: Apache-2.0

/// How llama.cpp cuts texts for the values of `tokenizer.ggml.pre`: regular expressions, applied one after the other.
struct GGUFPreTokenizer: Sendable {
    let patterns: [String]
    /// Whether a word that is a token is not put together from merges.
    var ignoresMerges = false
    /// Whether a text begins with a token unless the file tells otherwise.
    var startsText = false

    /// The split of this name, nil when it is unknown.
    init?(name: String) {
        guard let found = Self.known[name] else { return nil }
        self = found
    }

    private init(_ patterns: String..., ignoresMerges: Bool = false, startsText: Bool = false) {
        self.patterns = patterns
        self.ignoresMerges = ignoresMerges
        self.startsText = startsText
    }

    /// The names that can be used.
    static var names: [String] { known.keys.sorted() }

    private static let known: [String: GGUFPreTokenizer] = {
        var table: [String: GGUFPreTokenizer] = [:]
        for (names, split) in groups {
            for name in names.split(separator: " ") { table[String(name)] = split }
        }
        return table
    }()

    private static let groups: [(names: String, split: GGUFPreTokenizer)] = [
        ("default", GGUFPreTokenizer(#"[\p{P}\$\+<=>\^~\|]+"#, gpt2, #"\p{N}+"#, "[0-9][0-9][0-9]")),
        (
            "gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de jina-v1-en jina-v2-code roberta-bpe a.x-4.0 "
                + "mellum mpt olmo jais trillion granite-docling exaone4", GGUFPreTokenizer(gpt2)
        ),
        (
            "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2",
            GGUFPreTokenizer(words(#"\p{N}{1,3}"#), ignoresMerges: true, startsText: true)
        ),
        ("dbrx smaug-bpe glm4 chatglm-bpe", GGUFPreTokenizer(words(#"\p{N}{1,3}"#))),
        (
            "qwen2 deepseek-r1-qwen stablelm2 megrez hunyuan grok-2", GGUFPreTokenizer(words(#"\p{N}"#))
        ),
        (
            "qwen35",
            GGUFPreTokenizer(
                contractions + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"#
                    + spaces)
        ),
        ("starcoder refact command-r smollm codeshell exaone minerva-7b", GGUFPreTokenizer(#"\p{N}"#, gpt2)),
        ("falcon", GGUFPreTokenizer(#"[\p{P}\$\+<=>\^~\|`]+"#, gpt2, "[0-9][0-9][0-9]")),
        (
            "deepseek-llm",
            GGUFPreTokenizer(
                #"[\r\n]"#, #"\s?["# + casedLetters + "]+",
                #"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+"#,
                #"\s+\z"#,
                ideographs, #"\p{N}+"#)
        ),
        ("deepseek-coder", GGUFPreTokenizer(#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, ideographs, #"\p{N}"#)),
        (
            "deepseek-v3 hunyuan-dense",
            GGUFPreTokenizer(
                #"\p{N}{1,3}"#, #"[\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+"#,
                ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
                    + #"| ?[\p{P}\p{S}]+[\r\n]*|"# + spaces)
        ),
        ("poro-chat bloom gpt3-finnish", GGUFPreTokenizer(clauses)),
        ("viking", GGUFPreTokenizer(clauses, #"\p{N}"#)),
        (
            "tekken",
            GGUFPreTokenizer(
                cased(ending: "") + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces, ignoresMerges: true,
                startsText: true)
        ),
        (
            "gpt-4o llama4",
            GGUFPreTokenizer(
                cased(ending: contractions + "?") + #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces)
        ),
        ("superbpe", GGUFPreTokenizer(#"\p{N}+"#, #"(?=(\d{3})+(?!\d))"#)),
        (
            "bailingmoe bailingmoe2 llada-moe",
            GGUFPreTokenizer(
                #"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"#
                    + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#)
        ),
        (
            "seed-coder",
            GGUFPreTokenizer(
                contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|"# + spaces)
        ),
        (
            "chameleon",
            GGUFPreTokenizer(
                "<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", #"([\t\n]|    |  )"#, #"\p{N}"#,
                #"[\p{P}!-/:-@\[-`{-~]"#, gpt2, startsText: true)
        ),
    ]

    private static let gpt2 =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    private static let contractions = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    private static let spaces = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
    private static let clauses =
        #" ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+"#
    private static let ideographs = #"[\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+"#

    private static func words(_ numbers: String) -> String {
        contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + spaces
    }

    /// Words that end where upper case follows lower case; only ASCII's letters have a case here.
    private static func cased(ending: String) -> String {
        let (lead, upper, lower) = (
            #"[^\r\n\p{L}\p{N}]?"#, #"((?=[\p{L}])([^a-z]))"#, #"((?=[\p{L}])([^A-Z]))"#
        )
        return lead + upper + "*" + lower + "+" + ending + "|" + lead + upper + "+" + lower + "*" + ending
    }

    /// The letters of scripts that have upper and lower case.
    private static let casedLetters =
        #"\x{41}-\x{5A}\x{61}-\x{7A}\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}"#
        + #"\x{1C4}-\x{293}\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}"#
        + #"\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}"#
        + #"\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}"#
        + #"\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}"#
        + #"\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}"#
        + #"\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}"#
        + #"\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}"#
        + #"\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}"#
        + #"\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}"#
        + #"\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}"#
        + #"\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}"#
        + #"\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}"#
        + #"\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}"#
        + #"\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}"#
}
