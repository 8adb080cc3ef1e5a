// SPDX-License-Identifier: Apache-2.0
// cnnfreeze.hpp: owners move, failures come as exceptions or as values, nothing leaks: objects META_GRAPH CHECKPOINT
// OUTPUT FOLDER
#include <cnnfreeze/cnnfreeze.hpp>
#include <cstdio>
#include <type_traits>

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            std::fprintf(stderr, "%d: " #condition "\n", __LINE__);                                                    \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)

static_assert(!std::is_copy_constructible<cnnf::graph>::value, "owners are not copied");
static_assert(std::is_nothrow_move_constructible<cnnf::graph>::value, "owners move");

static int failures(const cnnf::context &context)
{
    cnnf::failure f;
    bool thrown = false;
    try {
        cnnf::load_file(context, "no such file");
    } catch (const cnnf::error &e) {
        thrown = e.code() == CNNF_E_IO && e.value().where() == "no such file" &&
                 std::string(e.what()) == e.value().message();
    }
    REQUIRE(thrown);
    cnnf::graph none = cnnf::load_file(context, "no such file", cnnf::load_options(), &f);
    REQUIRE(!none && f && f.code() == CNNF_E_IO && !f.message().empty());
    cnnf::pipeline unknown(context, "no_such_pass", &f);
    REQUIRE(!unknown && f.code() == CNNF_E_NOT_FOUND);
    REQUIRE(!cnnf::freeze(cnnf::graph(), cnnf::freeze_options(), nullptr, &f) && f.code() == CNNF_E_INVALID);
    cnnf::tensor scalar = cnnf::tensor::zeros(context, CNNF_FLOAT, {}, &f);
    REQUIRE(scalar && !f && f.message().empty());
    REQUIRE(!cnnf::tensor::zeros(context, CNNF_FLOAT, {-1}, &f) && f && !f.message().empty());
    return 0;
}

static int work(const cnnf::context &context, const char *path, const char *checkpoint, const std::string &last,
                const std::string &folder)
{
    cnnf::checkpoint values = cnnf::checkpoint::open(context, checkpoint);
    REQUIRE(!values.names().empty() && values.tensor(values.names()[0]).load().data() && !values.tensor("nothing"));
    int64_t converted = 0;
    cnnf::freeze_options freezing = cnnf::freeze_options::make(context);
    REQUIRE(freezing.add_output(last));
    cnnf::graph model =
        cnnf::freeze(cnnf::bind_checkpoint(cnnf::load_file(context, path), checkpoint), freezing, &converted);
    REQUIRE(converted > 0 && model.variable_count() == 0);
    REQUIRE(model.node_count() > 0 && model.find(model.node(0).name()).get() == model.node(0).get());
    cnnf::graph again = model.share(), moved = std::move(again);
    REQUIRE(!again && moved.get() == model.get());
    cnnf::buffer report;
    cnnf::pipeline pipeline(context, "prune");
    REQUIRE(pipeline.add_output(last));
    cnnf::graph pruned = pipeline.run(model, report);
    REQUIRE(pruned && report.text().find("prune") != std::string::npos);
    cnnf::buffer bytes = cnnf::write_graphdef_buffer(pruned);
    cnnf::graph back = cnnf::load_memory(context, bytes.data(), bytes.size(), "again");
    int64_t differences = -1;
    cnnf::compare_graphs(pruned, back, &differences);
    REQUIRE(differences == 0);
    REQUIRE(cnnf::write_graphdef_file(pruned, folder + "/objects.pb"));

    cnnf::evaluator_options options = cnnf::evaluator_options::make(context);
    REQUIRE(options.set_threads(1) && options.set_isa("auto"));
    cnnf::evaluator evaluator(model, options);
    const std::string input = model.inputs().at(0);
    std::vector<int64_t> dims;
    for (int32_t i = 0; i < cnnf_graph_input_shape_rank(model.get(), 0); i++)
        dims.push_back(i ? cnnf_graph_input_shape_dim(model.get(), 0, i) : 2);
    cnnf::tensor x = cnnf::tensor::zeros(context, CNNF_FLOAT, dims);
    std::vector<cnnf::tensor> y = evaluator.run({{input, &x}}, {last});
    REQUIRE(y.size() == 1 && y[0].shape().at(0) == 2 && y[0].values<float>());
    cnnf::report page(context, y[0].shape().at(1), 2);
    cnnf::tensor labels = cnnf::tensor::zeros(context, CNNF_INT64, {2});
    REQUIRE(page.set_title("a<b") && page.set_class_name(0, "zero") && page.add_fact("Data set", "zeros"));
    REQUIRE(page.begin("model") && page.add(x, y[0], labels, 0) && page.end(0.5) && page.differing() == 0);
    REQUIRE(page.write().text().find("a&lt;b") != std::string::npos);
    REQUIRE(page.write(CNNF_REPORT_JSON).text().find("\"images\": 2") != std::string::npos);
    cnnf::evaluate_options how = cnnf::evaluate_options::make(context);
    REQUIRE(how.set_report(page));
    cnnf::failure f;
    REQUIRE(!page.write(CNNF_REPORT_DOT, &f) && f.code() == CNNF_E_INVALID);
    REQUIRE(evaluator.run({{input, nullptr}}, {last}, &f).empty() && f.code() == CNNF_E_INVALID);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5) return 2;
    cnnf::context context;
    int code = failures(context);
    if (!code) code = work(context, argv[1], argv[2], argv[3], argv[4]);
    REQUIRE(context.memory() == 0);
    return code;
}
