/* SPDX-License-Identifier: Apache-2.0 */
/* The command: finds the subcommand and runs it. Called freeze_graph, it is TensorFlow's tool of that name. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "host.h"

int cli_usage(FILE *to, int code)
{
    fprintf(to,
            "cnnfreeze %s - trained Keras CNN to frozen TensorFlow graph, without TensorFlow\n\n"
            "usage: cnnfreeze SUBCOMMAND ... (cnnfreeze help SUBCOMMAND: its manual)\n\n",
            cnnf_version_string());
    for (size_t i = 0; i < cli_command_count; i++) {
        fprintf(to, "  %-20s %s\n", cli_commands[i].name, cli_commands[i].summary);
    }
    return code;
}

int main(int argc, char **argv)
{
    host_start(&argc, &argv);
    cli_catch_signals();
    const char *self = argc ? host_called_as(argv[0]) : "cnnfreeze";
    if (strcmp(self, "freeze_graph") == 0) return cmd_freeze_graph(argc, argv);
    if (argc < 2) return cli_usage(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) return cli_usage(stdout, EXIT_DONE);
    if (strcmp(argv[1], "--version") == 0) {
        printf("cnnfreeze %s\n", cnnf_version_string());
        return EXIT_DONE;
    }
    const command *found = cli_find_command(argv[1]);
    if (!found) {
        cli_unknown_command(argv[1]);
        return cli_usage(stderr, EXIT_USAGE);
    }
    return found->run(argc - 1, argv + 1);
}
