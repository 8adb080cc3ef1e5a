#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The manual and the completions that the command writes: check_manual.sh CNNFREEZE SUBCOMMAND...
# Shells and formatters are asked where they are installed.
set -eu
tool=$1
shift
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
    echo "check_manual.sh: $*" >&2
    exit 1
}

# The build's list is the command's.
listed=$("$tool" help | sed -n 's/^  \([a-z0-9_]*\) .*/\1/p' | tr '\n' ' ')
[ "$listed" = "$(printf '%s ' "$@")" ] || fail "tools/meson.build names $*, the command $listed"

for name in "$@"; do
    "$tool" help "$name" >"$out/text" || fail "help $name"
    "$tool" "$name" --help | cmp - "$out/text" || fail "$name --help is not help $name"
    "$tool" help --format=man "$name" >"$out/page.1"
    grep -q '^\.SH SYNOPSIS$' "$out/page.1" || fail "$name has no synopsis"
    # Every flag of the one is in the other.
    for flag in $(sed -n 's/^  --\([a-z_A-Z0-9]*\).*/\1/p' "$out/text"); do
        grep -q "\\\\-\\\\-$flag" "$out/page.1" || fail "the page of $name lacks --$flag"
    done
    if command -v groff >/dev/null; then
        groff -ww -man -Tascii "$out/page.1" 2>"$out/warnings" >/dev/null || fail "groff: $name"
        [ ! -s "$out/warnings" ] || { cat "$out/warnings"; fail "groff: $name"; }
    fi
done

for shell in bash zsh fish; do
    "$tool" help --format=$shell >"$out/$shell"
    command -v $shell >/dev/null || continue
    $shell -n "$out/$shell" || fail "$shell does not read its completions"
done
completed=$(bash -c '. "$1"; COMP_WORDS=(cnnfreeze freeze_graph --output_no); COMP_CWORD=2; compopt() { :; }; _cnnfreeze; echo "${COMPREPLY[*]}"' bash "$out/bash")
[ "$completed" = "--output_node_names=" ] || fail "bash completes --output_no to $completed"
completed=$(bash -c '. "$1"; COMP_WORDS=(cnnfreeze bench); COMP_CWORD=1; _cnnfreeze; echo "${COMPREPLY[*]}"' bash "$out/bash")
[ "$completed" = benchmark_model ] || fail "bash completes bench to $completed"
if command -v fish >/dev/null; then
    fish -c "source $out/fish; complete -C 'cnnfreeze freeze_graph --output_no'" | grep -q -e '--output_node_names' || fail "fish does not complete"
fi

said() { # EXPECTED COMMAND...: exit status 2, and these words
    expected=$1
    shift
    code=0
    "$tool" "$@" >"$out/said" 2>&1 || code=$?
    [ $code = 2 ] || fail "$* ends with $code"
    grep -q -F -e "$expected" "$out/said" || { cat "$out/said"; fail "$* does not say: $expected"; }
}
said "did you mean 'freeze_graph'?" freze_graph
said "did you mean 'evaluate'?" evalute
said "unknown subcommand 'abacus'" abacus
said "did you mean --output_node_names?" freeze_graph --output_node_name=x
said "did you mean --untrusted?" summarize_graph --untrustd x
said "see cnnfreeze help predict" predict --abacus=1
said "did you mean 'predict'?" help predct
said "text, man, bash, zsh or fish" help --format=html
echo "$# subcommands: the manual and the completions fit their flags"
