# SPDX-License-Identifier: Apache-2.0
# Links release objects into files that need neither Swift nor LZ4 where they run. Sourced after common.sh, in the
# root of the repository.

# Directory of the release build; what is linked there has been built before.
build_folder() { swift build -c release --show-bin-path; }

# A field of a member of `swiftc -print-target-info`.
target_info() {
    swiftc -print-target-info | sed -n "s/^ *\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p" | head -1
}

# static_inputs DIR: puts the static libraries that have dynamic twins into DIR, which then comes first in the search.
static_inputs() {
    local library path
    mkdir -p "$1"
    for library in liblz4.a libstdc++.a; do
        path=$("${CC:-cc}" -print-file-name="$library")
        if [ ! -e "$path" ]; then
            echo "error: $library was not found; install it (Debian: liblz4-dev, libstdc++-12-dev)" >&2
            return 1
        fi
        ln -sf "$path" "$1/$library"
    done
}

# objects PRODUCT: the object files of a built product, one to a line.
objects() { cat "$(build_folder)/$1.product/Objects.LinkFileList"; }

# symbols [VERSION]: the names in tandem.symbols, or those that came with a version of the interface.
symbols() {
    awk -v version="${1:-}" '!/^#/ && NF == 2 && (version == "" || $2 == version) { print $1 }' \
        Sources/CTandem/tandem.symbols
}

# A version script for the linker: one node for every version of the interface, each after the one before.
version_script() {
    local version before=''
    for version in $(awk '!/^#/ && NF == 2 { print $2 }' Sources/CTandem/tandem.symbols | sort -uV); do
        echo "TANDEM_$version {"
        echo '  global:'
        symbols "$version" | sed 's/.*/    &;/'
        [ -n "$before" ] || printf '  local:\n    *;\n'
        echo "}${before:+ TANDEM_$before};"
        before=$version
    done
}

# What every link is asked for: nothing that is not used, and relocations in their short form where this machine's C
# library knows it (glibc 2.36); files are then 0.6 MB smaller, and refused with a clear message by older ones.
link_options() {
    local version
    echo '-Xlinker --gc-sections -Xlinker --icf=safe -Xlinker -O2 -Xlinker -s -Xlinker -z -Xlinker now'
    version=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2)
    if [ -n "$version" ] && [ "$(printf '%s\n' 2.36 "$version" | sort -V | head -1)" = 2.36 ]; then
        echo '-Xlinker -z -Xlinker pack-relative-relocs'
    fi
}

# link_shared WORK OUT: the shared library, with the Swift runtime and LZ4 inside; exports the functions of the list.
link_shared() {
    static_inputs "$1/static"
    version_script >"$1/tandem.map"
    objects tandem-c >"$1/objects"
    # shellcheck disable=SC2046
    swiftc -emit-library -static-stdlib -use-ld=lld -o "$2" "@$1/objects" -L "$1/static" $(link_options) \
        -Xlinker -soname="$SONAME" -Xlinker --version-script="$1/tandem.map" -Xlinker --no-undefined
}

# link_archive WORK OUT: the static library. It is one object with everything inside, the Swift runtime too, whose own
# symbols are local: it can be linked by any C compiler and beside another Swift runtime.
link_archive() {
    local resources arch undefined
    resources="$(target_info runtimeResourcePath)_static/linux"
    arch=$(target_info arch)
    undefined=$(symbols | sed 's/^/-u /')
    static_inputs "$1/static"
    # shellcheck disable=SC2086
    ld -r --gc-sections --force-group-allocation -e tandem_version $undefined -o "$1/all.o" \
        "$resources/$arch/swiftrt.o" $(objects tandem-c) -L "$1/static" -L "$resources" --start-group \
        -llz4 -lswiftCore -lswift_Concurrency -lswift_StringProcessing -lswift_RegexParser -lswiftSynchronization \
        -lswiftGlibc -ldispatch -lBlocksRuntime -lstdc++ --end-group
    symbols >"$1/symbols"
    objcopy --strip-unneeded --keep-global-symbols="$1/symbols" "$1/all.o" "$1/tandem.o"
    rm -f "$2"
    ar rcsD "$2" "$1/tandem.o"
}

SONAME=libtandem.so.1

# link_program WORK OBJECTS MODULE OUT: a program out of the objects listed in a file, with the Swift runtime inside;
# MODULE is the one with the entry point.
link_program() {
    static_inputs "$1/static"
    # Foundation's own dependencies follow it; nothing of them is linked where nothing needs it.
    # shellcheck disable=SC2046
    swiftc -emit-executable -static-stdlib -use-ld=lld -o "$4" "@$2" -L "$1/static" $(link_options) \
        -l_FoundationCShims -l_FoundationCollections -Xlinker --defsym="main=$3_main" -Xlinker --no-export-dynamic
}

# link_tandem WORK OUT: the command line. Its argument parser is compiled again, without FoundationEssentials: with it the
# program would be 6 MB larger (Tools/lib/FoundationEssentials.swift). Kept until its sources or the compiler change.
link_tandem() {
    local folder parser key
    folder=$(build_folder)
    parser=$folder/parser-for-tandem
    key=$({
        swiftc --version
        cat Tools/lib/FoundationEssentials.swift
        xargs cat <"$folder/ArgumentParser.build/sources"
    } 2>/dev/null | sha256sum)
    if [ "$(cat "$parser/key" 2>/dev/null)" != "$key" ]; then
        rm -rf "$parser"
        mkdir -p "$parser"
        swiftc -parse-as-library -swift-version 6 -O -whole-module-optimization -module-name FoundationEssentials \
            -emit-module -emit-module-path "$parser/FoundationEssentials.swiftmodule" \
            -c Tools/lib/FoundationEssentials.swift -o "$parser/FoundationEssentials.o"
        swiftc -parse-as-library -swift-version 6 -O -whole-module-optimization -module-name ArgumentParser \
            -package-name swift_argument_parser -DSWIFT_PACKAGE -suppress-warnings -I "$parser" -I "$folder/Modules" \
            -c "@$folder/ArgumentParser.build/sources" -o "$parser/ArgumentParser.o"
        echo "$key" >"$parser/key"
    fi
    {
        objects tandem | grep -v '/ArgumentParser\.build/'
        printf '%s\n' "$parser/ArgumentParser.o" "$parser/FoundationEssentials.o"
    } >"$1/objects"
    link_program "$1" "$1/objects" TandemCLI "$2"
}
