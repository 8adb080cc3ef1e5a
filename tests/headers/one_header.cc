/* SPDX-License-Identifier: Apache-2.0 */
/* A public header compiles alone: HEADER comes from the build. */
#include HEADER

int main(void)
{
    return 0;
}
