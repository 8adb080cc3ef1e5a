/* SPDX-License-Identifier: Apache-2.0 */
/**
 * cnnfreeze.hpp - the C API as C++11 objects. Nothing is compiled into the library.
 *
 *     #include <cnnfreeze/cnnfreeze.hpp>
 *
 *     int main()
 *     {
 *         cnnf::context context;
 *         cnnf::graph frozen = cnnf::freeze(cnnf::load_file(context, "model.h5"));
 *         cnnf::write_graphdef_file(frozen, "frozen_graph.pb");
 *     }
 *
 * - A class is a move-only owner of one handle. An empty one (default-made or moved from) holds NULL; as options it
 * means the defaults. get() *borrows* the handle for a C function, release() gives it up, share() (of what is counted)
 * is one more reference.
 * - What can fail takes a `cnnf::failure *` last. NULL, the default: cnnf::error is thrown. Else nothing is thrown: the
 *   failure is filled (or cleared) and the result is empty. With -fno-exceptions the default ends the program.
 * - Names, statuses, limits and thread-safety are those of the C function of the same name; its header is the manual.
 *   Every C function without a form here is called with get().
 */
#ifndef CNNFREEZE_CNNFREEZE_HPP
#define CNNFREEZE_CNNFREEZE_HPP

#include <cnnfreeze/cnnfreeze.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace cnnf
{

/** A failure as a value; false while there is none. */
class failure
{
  public:
    explicit operator bool() const
    {
        return code_ != CNNF_OK;
    }
    cnnf_status code() const
    {
        return code_;
    } /**< CNNF_OK or CNNF_E_*. */
    const std::string &message() const
    {
        return message_;
    } /**< The whole line. */
    const std::string &where() const
    {
        return where_;
    } /**< The file, or "". */
    const std::string &node() const
    {
        return node_;
    } /**< The node, layer or tensor, or "". */
    int64_t offset() const
    {
        return offset_;
    } /**< The byte in where(), or -1. */
    /** Takes over what a C function said. */
    void set(cnnf_status code, const cnnf_error *words)
    {
        const char *message = cnnf_error_message(words);
        code_ = code;
        message_ = code == CNNF_OK ? "" : *message ? message : cnnf_status_name(code);
        where_ = code == CNNF_OK ? "" : cnnf_error_where(words);
        node_ = code == CNNF_OK ? "" : cnnf_error_node(words);
        offset_ = code == CNNF_OK ? -1 : cnnf_error_offset(words);
    }

  private:
    cnnf_status code_ = CNNF_OK;
    int64_t offset_ = -1;
    std::string message_, where_, node_;
};

/** A failure as an exception; what() is the message. */
class error : public std::runtime_error
{
  public:
    explicit error(const failure &f) : std::runtime_error(f.message()), failure_(f)
    {
    }
    const failure &value() const
    {
        return failure_;
    }
    cnnf_status code() const
    {
        return failure_.code();
    }

  private:
    failure failure_;
};

namespace detail
{

/* One call of a C function: the words of its failure, and what becomes of it. */
class call
{
  public:
    explicit call(failure *wanted) : wanted_(wanted), words_(cnnf_error_new())
    {
    }
    ~call()
    {
        cnnf_error_free(words_);
    }
    call(const call &) = delete;
    call &operator=(const call &) = delete;
    operator cnnf_error *() const
    {
        return words_;
    }
    /* True on success. */
    bool done(cnnf_status status) const
    {
        if (wanted_) {
            wanted_->set(status, words_);
        } else if (status != CNNF_OK) {
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
            failure f;
            f.set(status, words_);
            throw error(f);
#else
            std::abort();
#endif
        }
        return status == CNNF_OK;
    }

  private:
    failure *wanted_;
    cnnf_error *words_;
};

/* The address of an out-parameter, which becomes an owner. */
template <typename Owner, typename Function, typename... Arguments>
Owner make(failure *wanted, Function function, Arguments... arguments)
{
    call c(wanted);
    typename Owner::handle_type *out = nullptr;
    c.done(function(&out, arguments..., static_cast<cnnf_error *>(c)));
    return Owner(out);
}

template <typename Function, typename... Arguments>
bool check(failure *wanted, Function function, Arguments... arguments)
{
    call c(wanted);
    return c.done(function(arguments..., static_cast<cnnf_error *>(c)));
}

inline std::vector<const char *> pointers(const std::vector<std::string> &names)
{
    std::vector<const char *> out;
    for (const std::string &name : names)
        out.push_back(name.c_str());
    return out;
}

} // namespace detail

/** A move-only owner of a C handle. */
template <typename T, void (*Free)(T *)> class owner
{
  public:
    typedef T handle_type;
    owner() noexcept = default;
    explicit owner(T *handle) noexcept : handle_(handle)
    {
    } /**< *Takes* the handle. */
    owner(owner &&other) noexcept : handle_(other.release())
    {
    }
    owner &operator=(owner &&other) noexcept
    {
        if (this != &other) reset(other.release());
        return *this;
    }
    owner(const owner &) = delete;
    owner &operator=(const owner &) = delete;
    ~owner()
    {
        Free(handle_);
    }
    T *get() const noexcept
    {
        return handle_;
    }
    explicit operator bool() const noexcept
    {
        return handle_ != nullptr;
    }
    T *release() noexcept
    {
        T *handle = handle_;
        handle_ = nullptr;
        return handle;
    }
    void reset(T *handle = nullptr) noexcept
    {
        Free(handle_);
        handle_ = handle;
    }

  private:
    T *handle_ = nullptr;
};

/** Bytes or text that the library gave. */
class buffer : public owner<cnnf_buffer, cnnf_buffer_free>
{
  public:
    using owner::owner;
    const void *data() const
    {
        return get() ? cnnf_buffer_data(get()) : nullptr;
    }
    std::size_t size() const
    {
        return get() ? cnnf_buffer_size(get()) : 0;
    }
    std::string text() const
    {
        return std::string(static_cast<const char *>(data()), data() ? size() : 0);
    }
};

/** Options of a context: limits, log, allocator. */
class context_options : public owner<cnnf_context_options, cnnf_context_options_free>
{
  public:
    using owner::owner;
    /** The defaults, to be changed. */
    static context_options make(failure *f = nullptr)
    {
        return detail::make<context_options>(f, cnnf_context_options_new);
    }
    bool set_limit(int32_t limit, uint64_t value, failure *f = nullptr)
    {
        return detail::check(f, cnnf_context_options_set_limit, get(), limit, value);
    }
    bool set_untrusted(failure *f = nullptr)
    {
        return detail::check(f, cnnf_context_options_set_untrusted, get());
    }
    bool set_log(cnnf_log_fn log, int32_t min_level, void *user, failure *f = nullptr)
    {
        return detail::check(f, cnnf_context_options_set_log, get(), log, min_level, user);
    }
    bool set_allocator(cnnf_malloc_fn malloc_fn, cnnf_realloc_fn realloc_fn, cnnf_free_fn free_fn, void *user,
                       failure *f = nullptr)
    {
        return detail::check(f, cnnf_context_options_set_allocator, get(), malloc_fn, realloc_fn, free_fn, user);
    }
    bool set_temporary_folder(const std::string &path, failure *f = nullptr)
    {
        return detail::check(f, cnnf_context_options_set_temporary_folder, get(), path.c_str());
    }
};

/** What every other object is made in. */
class context : public owner<cnnf_context, cnnf_context_unref>
{
  public:
    using owner::owner;
    context() : context(context_options())
    {
    }
    explicit context(const context_options &options, failure *f = nullptr)
        : owner(detail::make<owner>(f, cnnf_context_new, static_cast<const cnnf_context_options *>(options.get())))
    {
    }
    context share() const
    {
        return context(cnnf_context_ref(get()));
    }
    uint64_t limit(int32_t which) const
    {
        return cnnf_context_limit(get(), which);
    }
    uint64_t memory(bool peak = false) const
    {
        return cnnf_context_memory(get(), peak);
    }
};

/** dtype, shape and bytes. */
class tensor : public owner<cnnf_tensor, cnnf_tensor_unref>
{
  public:
    using owner::owner;
    /** Zeros, to be filled through data_mut(). */
    static tensor zeros(const context &c, cnnf_dtype dtype, const std::vector<int64_t> &dims, failure *f = nullptr)
    {
        return detail::make<tensor>(f, cnnf_tensor_new, c.get(), dtype, static_cast<int32_t>(dims.size()), dims.data());
    }
    /** A copy of `size` bytes. */
    static tensor copy(const context &c, cnnf_dtype dtype, const std::vector<int64_t> &dims, const void *data,
                       std::size_t size, failure *f = nullptr)
    {
        return detail::make<tensor>(f, cnnf_tensor_wrap, c.get(), dtype, static_cast<int32_t>(dims.size()), dims.data(),
                                    data, size, static_cast<cnnf_release_fn>(nullptr), static_cast<void *>(nullptr));
    }
    /** The bytes themselves, kept until release(user) is called. */
    static tensor wrap(const context &c, cnnf_dtype dtype, const std::vector<int64_t> &dims, const void *data,
                       std::size_t size, cnnf_release_fn release, void *user, failure *f = nullptr)
    {
        return detail::make<tensor>(f, cnnf_tensor_wrap, c.get(), dtype, static_cast<int32_t>(dims.size()), dims.data(),
                                    data, size, release, user);
    }
    tensor share() const
    {
        return tensor(cnnf_tensor_ref(get()));
    }
    cnnf_dtype dtype() const
    {
        return cnnf_tensor_dtype(get());
    }
    std::vector<int64_t> shape() const
    {
        std::vector<int64_t> dims;
        for (int32_t i = 0; i < cnnf_tensor_rank(get()); i++)
            dims.push_back(cnnf_tensor_dim(get(), i));
        return dims;
    }
    int64_t element_count() const
    {
        return cnnf_tensor_element_count(get());
    }
    std::size_t byte_size() const
    {
        return cnnf_tensor_byte_size(get());
    }
    const void *data() const
    {
        return cnnf_tensor_data(get());
    } /**< NULL while the bytes are in a file. */
    void *data_mut()
    {
        return cnnf_tensor_data_mut(get());
    }
    /** The bytes as numbers of type T, which must be the dtype's; *borrowed*, as data(). */
    template <typename T> const T *values() const
    {
        return static_cast<const T *>(data());
    }
    /** With its bytes in memory. */
    tensor load(failure *f = nullptr) const
    {
        return detail::make<tensor>(f, cnnf_tensor_load, static_cast<const cnnf_tensor *>(get()));
    }
};

/** A node, *borrowed* from its graph; false when there is none. */
class node
{
  public:
    explicit node(const cnnf_node *handle) : handle_(handle)
    {
    }
    explicit operator bool() const
    {
        return handle_ != nullptr;
    }
    const cnnf_node *get() const
    {
        return handle_;
    }
    std::string name() const
    {
        return cnnf_node_name(handle_);
    }
    std::string op() const
    {
        return cnnf_node_op(handle_);
    }
    std::string device() const
    {
        return cnnf_node_device(handle_);
    }
    std::vector<std::string> inputs() const
    {
        std::vector<std::string> out;
        for (int64_t i = 0; i < cnnf_node_input_count(handle_); i++)
            out.push_back(cnnf_node_input(handle_, i));
        return out;
    }
    std::vector<std::string> attrs() const
    {
        std::vector<std::string> out;
        for (int64_t i = 0; i < cnnf_node_attr_count(handle_); i++)
            out.push_back(cnnf_node_attr_name(handle_, i));
        return out;
    }

  private:
    const cnnf_node *handle_;
};

/** An immutable graph. */
class graph : public owner<cnnf_graph, cnnf_graph_unref>
{
  public:
    using owner::owner;
    graph share() const
    {
        return graph(cnnf_graph_ref(get()));
    }
    int64_t node_count() const
    {
        return cnnf_graph_node_count(get());
    }
    cnnf::node node(int64_t index) const
    {
        return cnnf::node(cnnf_graph_node(get(), index));
    }
    cnnf::node find(const std::string &name) const
    {
        return cnnf::node(cnnf_graph_find(get(), name.c_str()));
    }
    std::vector<std::string> inputs() const
    {
        return names(cnnf_graph_input_count, cnnf_graph_input_name);
    }
    std::vector<std::string> outputs() const
    {
        return names(cnnf_graph_output_count, cnnf_graph_output_name);
    }
    std::vector<std::string> functions() const
    {
        return names(cnnf_graph_function_count, cnnf_graph_function_name);
    }
    int64_t variable_count() const
    {
        return cnnf_graph_variable_count(get());
    }
    buffer summary(int32_t format = CNNF_REPORT_TEXT, failure *f = nullptr) const
    {
        return detail::make<buffer>(f, cnnf_graph_summary, borrowed(), format);
    }

  private:
    const cnnf_graph *borrowed() const
    {
        return get();
    }
    std::vector<std::string> names(int64_t (*count)(const cnnf_graph *),
                                   const char *(*name)(const cnnf_graph *, int64_t)) const
    {
        std::vector<std::string> out;
        for (int64_t i = 0; i < count(get()); i++)
            out.push_back(name(get(), i));
        return out;
    }
};

/** Options of load_file(), load_memory() and bind_checkpoint(). */
class load_options : public owner<cnnf_load_options, cnnf_load_options_free>
{
  public:
    using owner::owner;
    static load_options make(const context &c, failure *f = nullptr)
    {
        return detail::make<load_options>(f, cnnf_load_options_new, c.get());
    }
    bool set_name_suffix(const std::string &suffix, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_set_name_suffix, get(), suffix.c_str());
    }
    bool set_variables(int32_t variables, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_set_variables, get(), variables);
    }
    bool set_training_state(bool keep, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_set_training_state, get(), static_cast<int32_t>(keep));
    }
    bool set_architecture_file(const std::string &path, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_set_architecture_file, get(), path.c_str());
    }
    bool map_layer(const std::string &from, const std::string &to, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_map_layer, get(), from.c_str(), to.c_str());
    }
    bool add_lambda(const std::string &name, const std::string &expression, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_add_lambda, get(), name.c_str(), expression.c_str());
    }
    bool drop_layer(const std::string &name, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_drop_layer, get(), name.c_str());
    }
    bool add_tag(const std::string &tag, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_add_tag, get(), tag.c_str());
    }
    bool set_signature(const std::string &signature, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_set_signature, get(), signature.c_str());
    }
    bool set_format(int32_t format, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_set_format, get(), format);
    }
    bool set_saver_file(const std::string &path, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_set_saver_file, get(), path.c_str());
    }
    bool set_progress(cnnf_progress_fn progress, void *user, failure *f = nullptr)
    {
        return detail::check(f, cnnf_load_options_set_progress, get(), progress, user);
    }
};

/** A model or graph from a file or SavedModel folder. */
inline graph load_file(const context &c, const std::string &path, const load_options &options = load_options(),
                       failure *f = nullptr)
{
    return detail::make<graph>(f, cnnf_load_file, c.get(), path.c_str(),
                               static_cast<const cnnf_load_options *>(options.get()));
}

/** The same from the bytes of a file; `name` stands for the path in messages. */
inline graph load_memory(const context &c, const void *data, std::size_t size, const std::string &name,
                         const load_options &options = load_options(), failure *f = nullptr)
{
    return detail::make<graph>(f, cnnf_load_memory, c.get(), data, size, name.c_str(),
                               static_cast<const cnnf_load_options *>(options.get()));
}

/** The graph with a checkpoint's values bound to its variables. */
inline graph bind_checkpoint(const graph &g, const std::string &path, const load_options &options = load_options(),
                             failure *f = nullptr)
{
    return detail::make<graph>(f, cnnf_bind_checkpoint, static_cast<const cnnf_graph *>(g.get()), path.c_str(),
                               static_cast<const cnnf_load_options *>(options.get()));
}

/** The tensors of a checkpoint. */
class checkpoint : public owner<cnnf_checkpoint, cnnf_checkpoint_unref>
{
  public:
    using owner::owner;
    static checkpoint open(const context &c, const std::string &path, failure *f = nullptr)
    {
        return detail::make<checkpoint>(f, cnnf_checkpoint_open, c.get(), path.c_str());
    }
    checkpoint share() const
    {
        return checkpoint(cnnf_checkpoint_ref(get()));
    }
    std::vector<std::string> names() const
    {
        std::vector<std::string> out;
        for (int64_t i = 0; i < cnnf_checkpoint_count(get()); i++)
            out.push_back(cnnf_checkpoint_name(get(), i));
        return out;
    }
    /** The tensor called `name`, empty when there is none; its bytes are still in the file. */
    cnnf::tensor tensor(const std::string &name) const
    {
        const int64_t index = cnnf_checkpoint_find(get(), name.c_str());
        return cnnf::tensor(index < 0 ? nullptr : cnnf_tensor_ref(cnnf_checkpoint_tensor(get(), index)));
    }
};

/** Options of freeze(). */
class freeze_options : public owner<cnnf_freeze_options, cnnf_freeze_options_free>
{
  public:
    using owner::owner;
    static freeze_options make(const context &c, failure *f = nullptr)
    {
        return detail::make<freeze_options>(f, cnnf_freeze_options_new, c.get());
    }
    bool add_output(const std::string &name, failure *f = nullptr)
    {
        return detail::check(f, cnnf_freeze_options_add_output, get(), name.c_str());
    }
    bool allow(const std::string &pattern, failure *f = nullptr)
    {
        return detail::check(f, cnnf_freeze_options_allow, get(), pattern.c_str());
    }
    bool deny(const std::string &pattern, failure *f = nullptr)
    {
        return detail::check(f, cnnf_freeze_options_deny, get(), pattern.c_str());
    }
    bool add_initializer(const std::string &node, failure *f = nullptr)
    {
        return detail::check(f, cnnf_freeze_options_add_initializer, get(), node.c_str());
    }
    bool set_clear_devices(bool clear, failure *f = nullptr)
    {
        return detail::check(f, cnnf_freeze_options_set_clear_devices, get(), static_cast<int32_t>(clear));
    }
};

/** Bound variables become constants; `converted` (nullable) their number. */
inline graph freeze(const graph &g, const freeze_options &options = freeze_options(), int64_t *converted = nullptr,
                    failure *f = nullptr)
{
    return detail::make<graph>(f, cnnf_freeze, converted, static_cast<const cnnf_graph *>(g.get()),
                               static_cast<const cnnf_freeze_options *>(options.get()));
}

/** Passes by name. */
class pipeline : public owner<cnnf_pipeline, cnnf_pipeline_free>
{
  public:
    using owner::owner;
    explicit pipeline(const context &c, const std::string &passes = std::string(), failure *f = nullptr)
        : owner(detail::make<owner>(f, cnnf_pipeline_new, c.get()))
    {
        if (get() && !passes.empty() && !add(passes, f)) reset();
    }
    bool add(const std::string &passes, failure *f = nullptr)
    {
        return detail::check(f, cnnf_pipeline_add, get(), passes.c_str());
    }
    bool add_input(const std::string &name, failure *f = nullptr)
    {
        return detail::check(f, cnnf_pipeline_add_input, get(), name.c_str());
    }
    bool add_output(const std::string &name, failure *f = nullptr)
    {
        return detail::check(f, cnnf_pipeline_add_output, get(), name.c_str());
    }
    bool set_progress(cnnf_progress_fn progress, void *user, failure *f = nullptr)
    {
        return detail::check(f, cnnf_pipeline_set_progress, get(), progress, user);
    }
    graph run(const graph &g, failure *f = nullptr) const
    {
        return detail::make<graph>(f, cnnf_pipeline_run, static_cast<const cnnf_pipeline *>(get()),
                                   static_cast<const cnnf_graph *>(g.get()));
    }
    /** The same with a JSON report. */
    graph run(const graph &g, buffer &report, failure *f = nullptr) const
    {
        cnnf_buffer *text = nullptr;
        graph out = detail::make<graph>(f, cnnf_pipeline_run_report, &text, static_cast<const cnnf_pipeline *>(get()),
                                        static_cast<const cnnf_graph *>(g.get()));
        report.reset(text);
        return out;
    }
};

/** Options of the writers. */
class write_options : public owner<cnnf_write_options, cnnf_write_options_free>
{
  public:
    using owner::owner;
    static write_options make(const context &c, failure *f = nullptr)
    {
        return detail::make<write_options>(f, cnnf_write_options_new, c.get());
    }
    bool set_text(bool text, failure *f = nullptr)
    {
        return detail::check(f, cnnf_write_options_set_text, get(), static_cast<int32_t>(text));
    }
    bool set_fsync(bool fsync, failure *f = nullptr)
    {
        return detail::check(f, cnnf_write_options_set_fsync, get(), static_cast<int32_t>(fsync));
    }
    bool set_progress(cnnf_progress_fn progress, void *user, failure *f = nullptr)
    {
        return detail::check(f, cnnf_write_options_set_progress, get(), progress, user);
    }
};

inline bool write_graphdef_file(const graph &g, const std::string &path, const write_options &options = write_options(),
                                failure *f = nullptr)
{
    return detail::check(f, cnnf_write_graphdef_file, static_cast<const cnnf_graph *>(g.get()), path.c_str(),
                         static_cast<const cnnf_write_options *>(options.get()));
}

inline buffer write_graphdef_buffer(const graph &g, const write_options &options = write_options(),
                                    failure *f = nullptr)
{
    return detail::make<buffer>(f, cnnf_write_graphdef_buffer, static_cast<const cnnf_graph *>(g.get()),
                                static_cast<const cnnf_write_options *>(options.get()));
}

inline bool write_checkpoint(const graph &g, const std::string &prefix, const write_options &options = write_options(),
                             failure *f = nullptr)
{
    return detail::check(f, cnnf_write_checkpoint, static_cast<const cnnf_graph *>(g.get()), prefix.c_str(),
                         static_cast<const cnnf_write_options *>(options.get()));
}

/** Options of an evaluator. */
class evaluator_options : public owner<cnnf_evaluator_options, cnnf_evaluator_options_free>
{
  public:
    using owner::owner;
    static evaluator_options make(const context &c, failure *f = nullptr)
    {
        return detail::make<evaluator_options>(f, cnnf_evaluator_options_new, c.get());
    }
    bool set_threads(int32_t threads, failure *f = nullptr)
    {
        return detail::check(f, cnnf_evaluator_options_set_threads, get(), threads);
    }
    bool set_backend(const std::string &backend, failure *f = nullptr)
    {
        return detail::check(f, cnnf_evaluator_options_set_backend, get(), backend.c_str());
    }
    bool set_isa(const std::string &isa, failure *f = nullptr)
    {
        return detail::check(f, cnnf_evaluator_options_set_isa, get(), isa.c_str());
    }
    bool set_deterministic(bool strict, failure *f = nullptr)
    {
        return detail::check(f, cnnf_evaluator_options_set_deterministic, get(), static_cast<int32_t>(strict));
    }
};

/** Graph and tensors to tensors. */
class evaluator : public owner<cnnf_evaluator, cnnf_evaluator_free>
{
  public:
    using owner::owner;
    /** A tensor, *borrowed* for the call, and the input it is for. */
    typedef std::pair<std::string, const tensor *> feed;

    explicit evaluator(const graph &g, const evaluator_options &options = evaluator_options(), failure *f = nullptr)
        : owner(detail::make<owner>(f, cnnf_evaluator_new, static_cast<const cnnf_graph *>(g.get()),
                                    static_cast<const cnnf_evaluator_options *>(options.get())))
    {
    }
    /** One tensor per fetch ("node" or "node:1"); none after a failure. */
    std::vector<tensor> run(const std::vector<feed> &feeds, const std::vector<std::string> &fetches,
                            failure *f = nullptr)
    {
        std::vector<const char *> names, wanted = detail::pointers(fetches);
        std::vector<const cnnf_tensor *> values;
        for (const feed &one : feeds) {
            names.push_back(one.first.c_str());
            values.push_back(one.second ? one.second->get() : nullptr);
        }
        std::vector<cnnf_tensor *> out(fetches.size());
        std::vector<tensor> result(fetches.size());
        detail::call c(f);
        if (!c.done(cnnf_evaluator_run(out.data(), get(), names.data(), values.data(), names.size(), wanted.data(),
                                       wanted.size(), c)))
            return std::vector<tensor>();
        for (std::size_t i = 0; i < out.size(); i++)
            result[i].reset(out[i]);
        return result;
    }
    void cancel()
    {
        cnnf_evaluator_cancel(get());
    }
    std::string backend() const
    {
        return cnnf_evaluator_backend(get());
    }
};

/** Accuracy and what stands behind it. */
class metrics : public owner<cnnf_metrics, cnnf_metrics_free>
{
  public:
    using owner::owner;
    metrics(const context &c, int64_t classes, int64_t worst = 0, failure *f = nullptr)
        : owner(detail::make<owner>(f, cnnf_metrics_new, c.get(), classes, worst))
    {
    }
    bool add(const tensor &predictions, const tensor &labels, int64_t first_row, failure *f = nullptr)
    {
        return detail::check(f, cnnf_metrics_add, get(), static_cast<const cnnf_tensor *>(predictions.get()),
                             static_cast<const cnnf_tensor *>(labels.get()), first_row);
    }
    bool merge(const metrics &other, failure *f = nullptr)
    {
        return detail::check(f, cnnf_metrics_merge, get(), static_cast<const cnnf_metrics *>(other.get()));
    }
    int64_t count() const
    {
        return cnnf_metrics_count(get());
    }
    double accuracy() const
    {
        return cnnf_metrics_accuracy(get());
    }
    double topk(int64_t k) const
    {
        return cnnf_metrics_topk(get(), k);
    }
    double loss() const
    {
        return cnnf_metrics_loss(get());
    }
};

/** Options of a data set. */
class dataset_options : public owner<cnnf_dataset_options, cnnf_dataset_options_free>
{
  public:
    using owner::owner;
    static dataset_options make(const context &c, failure *f = nullptr)
    {
        return detail::make<dataset_options>(f, cnnf_dataset_options_new, c.get());
    }
    bool set_shape(const std::vector<int64_t> &dims, failure *f = nullptr)
    {
        return detail::check(f, cnnf_dataset_options_set_shape, get(), static_cast<int32_t>(dims.size()), dims.data());
    }
    bool set_scale(double scale, failure *f = nullptr)
    {
        return detail::check(f, cnnf_dataset_options_set_scale, get(), scale);
    }
    bool set_labels_file(const std::string &path, failure *f = nullptr)
    {
        return detail::check(f, cnnf_dataset_options_set_labels_file, get(), path.c_str());
    }
};

/** Labelled examples in batches. */
class dataset : public owner<cnnf_dataset, cnnf_dataset_free>
{
  public:
    using owner::owner;
    static dataset open(const context &c, const std::string &path, const dataset_options &options = dataset_options(),
                        failure *f = nullptr)
    {
        return detail::make<dataset>(f, cnnf_dataset_open, c.get(), path.c_str(),
                                     static_cast<const cnnf_dataset_options *>(options.get()));
    }
    int64_t count() const
    {
        return cnnf_dataset_count(get());
    }
    /** False at the end and after a failure. */
    bool next(tensor &images, tensor &labels, int64_t batch, failure *f = nullptr)
    {
        cnnf_tensor *x = nullptr, *y = nullptr;
        detail::call c(f);
        const bool done = c.done(cnnf_dataset_next(&x, &y, get(), batch, c));
        images.reset(x);
        labels.reset(y);
        return done && x;
    }
    bool rewind(failure *f = nullptr)
    {
        return detail::check(f, cnnf_dataset_rewind, get());
    }
};

/** What an evaluation found, as one HTML page or JSON. */
class report : public owner<cnnf_report, cnnf_report_free>
{
  public:
    using owner::owner;
    report(const context &c, int64_t classes, int64_t pictures = 24, failure *f = nullptr)
        : owner(detail::make<owner>(f, cnnf_report_new, c.get(), classes, pictures))
    {
    }
    bool set_title(const std::string &title, failure *f = nullptr)
    {
        return detail::check(f, cnnf_report_set_title, get(), title.c_str());
    }
    bool set_class_name(int64_t label, const std::string &name, failure *f = nullptr)
    {
        return detail::check(f, cnnf_report_set_class_name, get(), label, name.c_str());
    }
    bool add_fact(const std::string &name, const std::string &value, failure *f = nullptr)
    {
        return detail::check(f, cnnf_report_add_fact, get(), name.c_str(), value.c_str());
    }
    bool begin(const std::string &name, failure *f = nullptr)
    {
        return detail::check(f, cnnf_report_begin, get(), name.c_str());
    }
    /** `images` may be empty: no pictures. */
    bool add(const tensor &images, const tensor &predictions, const tensor &labels, int64_t first_row,
             failure *f = nullptr)
    {
        return detail::check(f, cnnf_report_add, get(), static_cast<const cnnf_tensor *>(images.get()),
                             static_cast<const cnnf_tensor *>(predictions.get()),
                             static_cast<const cnnf_tensor *>(labels.get()), first_row);
    }
    bool end(double seconds = 0, failure *f = nullptr)
    {
        return detail::check(f, cnnf_report_end, get(), seconds);
    }
    int64_t differing() const
    {
        return cnnf_report_differing(get());
    }
    buffer write(int32_t format = CNNF_REPORT_HTML, failure *f = nullptr) const
    {
        return detail::make<buffer>(f, cnnf_report_write, static_cast<const cnnf_report *>(get()), format);
    }
};

/** Options of evaluate_dataset(). */
class evaluate_options : public owner<cnnf_evaluate_options, cnnf_evaluate_options_free>
{
  public:
    using owner::owner;
    static evaluate_options make(const context &c, failure *f = nullptr)
    {
        return detail::make<evaluate_options>(f, cnnf_evaluate_options_new, c.get());
    }
    bool set_input(const std::string &name, failure *f = nullptr)
    {
        return detail::check(f, cnnf_evaluate_options_set_input, get(), name.c_str());
    }
    bool set_output(const std::string &name, failure *f = nullptr)
    {
        return detail::check(f, cnnf_evaluate_options_set_output, get(), name.c_str());
    }
    bool set_batch(int64_t batch, failure *f = nullptr)
    {
        return detail::check(f, cnnf_evaluate_options_set_batch, get(), batch);
    }
    /** The report must outlive the options. */
    bool set_report(report &r, failure *f = nullptr)
    {
        return detail::check(f, cnnf_evaluate_options_set_report, get(), r.get());
    }
};

/** The rest of a data set through the evaluator, added to the metrics. */
inline bool evaluate_dataset(metrics &m, evaluator &e, dataset &d, const evaluate_options &options = evaluate_options(),
                             failure *f = nullptr)
{
    return detail::check(f, cnnf_evaluate_dataset, m.get(), e.get(), d.get(),
                         static_cast<const cnnf_evaluate_options *>(options.get()));
}

/** numpy.load() and numpy.save() of one array. */
inline tensor npy_load(const context &c, const std::string &path, failure *f = nullptr)
{
    return detail::make<tensor>(f, cnnf_npy_load, c.get(), path.c_str());
}

inline bool npy_save(const tensor &t, const std::string &path, failure *f = nullptr)
{
    return detail::check(f, cnnf_npy_save, static_cast<const cnnf_tensor *>(t.get()), path.c_str());
}

/** What the next tool demands; `unmet` (nullable) the number of demands not met. */
inline buffer check_graph(const graph &g, const std::string &target, int64_t *unmet = nullptr,
                          int32_t format = CNNF_REPORT_TEXT, failure *f = nullptr)
{
    return detail::make<buffer>(f, cnnf_check_graph, unmet, static_cast<const cnnf_graph *>(g.get()), target.c_str(),
                                format);
}

/** How two graphs differ; `differences` (nullable) their number. */
inline buffer compare_graphs(const graph &a, const graph &b, int64_t *differences = nullptr,
                             int32_t format = CNNF_REPORT_TEXT, failure *f = nullptr)
{
    return detail::make<buffer>(f, cnnf_compare_graphs, differences, static_cast<const cnnf_graph *>(a.get()),
                                static_cast<const cnnf_graph *>(b.get()), format);
}

} // namespace cnnf

#endif
