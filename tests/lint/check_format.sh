#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every source file is what .clang-format makes of it (version 14, Debian 12's; another version's taste is not asked):
# check_format.sh SOURCE_ROOT
set -eu
cd "$1"
case "$(clang-format --version 2>/dev/null || echo none)" in
*version\ 14.*) ;;
*) echo "clang-format 14 is not here: skipped"; exit 77 ;;
esac
find lib include tools tests examples bindings -name '*.[ch]' -o -name '*.cc' -o -name '*.hpp' |
    xargs grep -L '^/\* clang-format off \*/' | xargs clang-format --dry-run -Werror
echo "formatted"
