/* SPDX-License-Identifier: Apache-2.0 */
/* Files are told apart by their content; what is no graph is named. */
#include "fixture.h"

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
    const char *name, *bytes;
    size_t size;
    int32_t format;
    const char *line; /* of loading it, after the path; NULL: it loads, or says something of its own */
} files[] = {
    {"empty.pb", BYTES(""), CNNF_FORMAT_EMPTY, ": is an empty file, not a model or graph"},
    {"lfs.pb", BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"), CNNF_FORMAT_GIT_LFS,
     ": is a Git LFS pointer, not a model or graph; run 'git lfs pull' to get the file itself"},
    {"page.pb", BYTES("\n<!DOCTYPE html>\n<html></html>"), CNNF_FORMAT_HTML,
     ": is a web page, not a model or graph; download the file itself"},
    {"page2.h5", BYTES("<HTML><BODY>404</BODY></HTML>"), CNNF_FORMAT_HTML,
     ": is a web page, not a model or graph; download the file itself"},
    {"model.json", BYTES("{\"class_name\": \"Model\"}"), CNNF_FORMAT_JSON,
     ": is a JSON file, not a model or graph; give it as the architecture of a weights-only file"},
    {"checkpoint", BYTES("model_checkpoint_path: \"a\"\n"), CNNF_FORMAT_CHECKPOINT_STATE,
     ": is a checkpoint state file, not a model or graph; give it as the checkpoint, beside a graph"},
    {"g.pbtxt", BYTES("# a comment\n\n node { name: \"x\" op: \"A\" }"), CNNF_FORMAT_GRAPHDEF_TEXT, NULL},
    {"g2.pbtxt", BYTES("versions {\n}\n"), CNNF_FORMAT_GRAPHDEF_TEXT, NULL},
    {"m.pbtxt", BYTES("meta_info_def {\n}\n"), CNNF_FORMAT_META_GRAPH_TEXT, NULL},
    {"s.pbtxt", BYTES("saved_model_schema_version: 1"), CNNF_FORMAT_SAVED_MODEL_TEXT, NULL},
    {"saver.txt", BYTES("filename_tensor_name: \"save/Const:0\""), CNNF_FORMAT_SAVER_DEF_TEXT,
     ": is a SaverDef in text format, not a model or graph; give it as the saver (--input_saver)"},
    {"g.pb",
     BYTES("\x0a\x06\x0a\x01x\x12\x01"
           "A"),
     CNNF_FORMAT_GRAPHDEF, NULL},
    {"cut.pb", BYTES("\x0a\x1d\x0a\x01x\x12\x0bPlaceho"), CNNF_FORMAT_GRAPHDEF, NULL},
    {"m.meta",
     BYTES("\x0a\x08\x2a\x06"
           "1.15.0\x12\x08\x0a\x06\x0a\x01x\x12\x01"
           "A"),
     CNNF_FORMAT_META_GRAPH, NULL},
    {"s.pb",
     BYTES("\x08\x01\x12\x0a\x12\x08\x0a\x06\x0a\x01x\x12\x01"
           "A"),
     CNNF_FORMAT_SAVED_MODEL, NULL},
    {"saver", BYTES("\x0a\x0csave/Const:0\x12\x06save/c\x1a\x06save/r(\x01"), CNNF_FORMAT_SAVER_DEF,
     ": is a SaverDef, not a model or graph; give it as the saver (--input_saver)"},
    {"m.data-00000-of-00001", BYTES("\x00\x00\x80\x3f\x00\x00\x80\x3f\x9a\x99"), CNNF_FORMAT_CHECKPOINT_DATA,
     ": is a checkpoint's data shard, not a model or graph; give it as the checkpoint, beside a graph"},
    {"noise.pb", BYTES("\x00\x00\x80\x3f\x00\x00\x80\x3f\x9a\x99"), CNNF_FORMAT_UNKNOWN,
     ": is a file of unknown format, not a model or graph"},
    {"prose.pb", BYTES("Dear reader, this is no graph at all."), CNNF_FORMAT_UNKNOWN,
     ": is a file of unknown format, not a model or graph"},
    {"a.zip", BYTES("PK\3\4 something else in here"), CNNF_FORMAT_ZIP, NULL},
    {"m.keras", BYTES("PK\3\4 ... metadata.json ... config.json ..."), CNNF_FORMAT_KERAS_V3, NULL},
    {"a.h5", BYTES("\x89HDF\r\n\x1a\n nothing"), CNNF_FORMAT_HDF5, NULL},
    {"k.h5", BYTES("\x89HDF\r\n\x1a\n ... model_config ..."), CNNF_FORMAT_KERAS_H5, NULL},
};

START_TEST(content_decides)
{
    int32_t format = -1;
    const char *path = folder_path(files[_i].name);
    file_write(path, files[_i].bytes, files[_i].size);
    ck_assert_int_eq(cnnf_format_detect(&format, context, path, error), CNNF_OK);
    ck_assert_msg(format == files[_i].format, "%s: %s", files[_i].name, cnnf_format_name(format));
}
END_TEST

START_TEST(wrong_files_are_named)
{
    char line[600];
    cnnf_graph *graph = NULL;
    const char *path = folder_path(files[_i].name);
    if (files[_i].line == NULL) return;
    file_write(path, files[_i].bytes, files[_i].size);
    ck_assert_int_eq(cnnf_load_file(&graph, context, path, NULL, error), CNNF_E_FORMAT);
    ck_assert_ptr_null(graph);
    snprintf(line, sizeof line, "%s%s", path, files[_i].line);
    ck_assert_str_eq(cnnf_error_message(error), line);
    ck_assert_str_eq(cnnf_error_where(error), path);
}
END_TEST

START_TEST(members_of_checkpoints_are_told_apart)
{
    int32_t format = -1;
    ck_assert_int_eq(cnnf_format_detect(&format, context, GOLDEN("checkpoint/v1/model.ckpt"), error), CNNF_OK);
    ck_assert_int_eq(format, CNNF_FORMAT_CHECKPOINT_V1);
    ck_assert_int_eq(cnnf_format_detect(&format, context, GOLDEN("oom/ckpt.index"), error), CNNF_OK);
    ck_assert_int_eq(format, CNNF_FORMAT_CHECKPOINT_INDEX);
    ck_assert_int_eq(cnnf_format_detect(&format, context, GOLDEN("graphdef/saved_model"), error), CNNF_OK);
    ck_assert_int_eq(format, CNNF_FORMAT_SAVED_MODEL);
}
END_TEST

START_TEST(a_kind_can_be_demanded)
{
    cnnf_graph *graph = NULL;
    cnnf_load_options *options = NULL;
    ck_assert_int_eq(cnnf_load_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_load_options_set_format(options, CNNF_FORMAT_HTML, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_load_options_set_format(options, CNNF_FORMAT_GRAPHDEF, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_load_file(&graph, context, GOLDEN("graphdef/graph.meta"), options, error), CNNF_E_FORMAT);
    ck_assert_str_eq(
        cnnf_error_message(error),
        GOLDEN("graphdef/graph.meta") ": is a MetaGraphDef (.meta), not a GraphDef; give it as the meta graph "
                                      "(--input_meta_graph)");
    ck_assert_int_eq(cnnf_load_file(&graph, context, GOLDEN("graphdef/all.pbtxt"), options, error), CNNF_OK);
    cnnf_graph_unref(graph);
    cnnf_load_options_free(options);
}
END_TEST

START_TEST(savers_are_checked)
{
    ck_assert_int_eq(cnnf_check_saver_file(context, GOLDEN("graphdef/saver.pb"), error), CNNF_OK);
    ck_assert_int_eq(cnnf_check_saver_file(context, GOLDEN("graphdef/saver.pbtxt"), error), CNNF_OK);
    ck_assert_int_eq(cnnf_check_saver_file(context, GOLDEN("graphdef/all.pb"), error), CNNF_E_FORMAT);
    ck_assert_str_eq(cnnf_error_message(error), GOLDEN("graphdef/all.pb") ": is a GraphDef, not a SaverDef");
}
END_TEST

START_TEST(folders_need_a_model)
{
    char line[200];
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnf_load_file(&graph, context, folder, NULL, error), CNNF_E_FORMAT);
    snprintf(line, sizeof line, "%s: is a folder without saved_model.pb, saved_model.pbtxt or a .meta", folder);
    ck_assert_str_eq(cnnf_error_message(error), line);
    ck_assert_int_eq(cnnf_load_file(&graph, context, folder_path("none.pb"), NULL, error), CNNF_E_IO);
    snprintf(line, sizeof line, "%s: cannot open: No such file or directory", folder_path("none.pb"));
    ck_assert_str_eq(cnnf_error_message(error), line);
}
END_TEST

static Suite *sniff_suite(void)
{
    const int count = (int)(sizeof files / sizeof files[0]);
    Suite *suite = suite_create("sniff");
    TCase *tests = tcase_create("sniff");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, content_decides, 0, count);
    tcase_add_loop_test(tests, wrong_files_are_named, 0, count);
    tcase_add_test(tests, members_of_checkpoints_are_told_apart);
    tcase_add_test(tests, a_kind_can_be_demanded);
    tcase_add_test(tests, savers_are_checked);
    tcase_add_test(tests, folders_need_a_model);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(sniff_suite)
