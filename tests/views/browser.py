"""A headless Chromium, driven over its own protocol through a pipe: no driver program, no package, the standard library alone.

    with Browser() as browser:
        browser.open(path)
        browser.evaluate("document.title")
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = ["chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome"]


def find_browser():
    """The program, or None. AXIFORM_BROWSER names another."""
    named = os.environ.get("AXIFORM_BROWSER")
    return named or next((path for path in map(shutil.which, PROGRAMS) if path), None)


class BrowserError(Exception):
    pass


class Browser:
    """One page, in a profile of its own that is removed at the end. `errors` has what the page's scripts threw or reported."""

    def __init__(self, program=None, width=1280, height=900, patience=60):
        self.patience, self.errors, self.requests, self.next_id, self.buffer = patience, [], [], 0, b""
        self.folder = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        to_browser, from_browser = os.pipe(), os.pipe()

        def arrange():  # the protocol is spoken on descriptors 3 and 4
            read, write = os.dup(to_browser[0]), os.dup(from_browser[1])
            os.dup2(read, 3)
            os.dup2(write, 4)

        command = [program or find_browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--disable-background-networking", "--disable-extensions", "--hide-scrollbars", "--force-color-profile=srgb",
                   f"--user-data-dir={self.folder.name}", "--remote-debugging-pipe", f"--window-size={width},{height}", "about:blank"]
        self.log = open(Path(self.folder.name) / "stderr", "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=arrange, close_fds=False,
                                        env={**os.environ, "HOME": self.folder.name})
        os.close(to_browser[0])
        os.close(from_browser[1])
        self.write_end, self.read_end, self.session = to_browser[1], from_browser[0], None
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM", "Accessibility"):
            self.send(domain + ".enable")
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.write_end)
        os.close(self.read_end)
        self.log.close()
        self.folder.cleanup()

    # ---- the protocol

    def send(self, method, **parameters):
        """Calls a method and waits for its result; what happens meanwhile is noted."""
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write_end, data):]
        end = time.monotonic() + self.patience
        while True:
            answer = self.receive(end, method)
            if answer.get("id") == self.next_id:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.note(answer)

    def receive(self, end, method):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_end], [], [], max(0, end - time.monotonic()))
            data = os.read(self.read_end, 1 << 20) if ready else b""
            if not data:
                log = Path(self.log.name).read_text(errors="replace")[-2000:]
                raise BrowserError(f"{method}: the browser {'has ended' if ready else 'does not answer'}\n{log}")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(line)

    def note(self, event):
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            if "getImageData" not in parameters["entry"]["text"]:  # a warning about what the tests do
                self.errors.append(parameters["entry"]["text"])
        elif event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.errors.append(str(parameters["args"]))
        elif event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    # ---- what a reader does

    def open(self, path, fragment=""):
        """Opens a file and waits until its script says that it is ready. Returns the seconds that this took."""
        self.errors.clear()
        self.requests.clear()
        self.send("Page.navigate", url="about:blank")  # so that another fragment of the same file loads it again
        self.requests.clear()
        begin = time.monotonic()
        self.send("Page.navigate", url=Path(path).resolve().as_uri() + fragment)
        self.wait("document.documentElement?.dataset.ready === 'true' && document.readyState === 'complete'")
        return time.monotonic() - begin

    def evaluate(self, expression):
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True)
        if "exceptionDetails" in result:
            raise BrowserError(result["exceptionDetails"].get("exception", {}).get("description", "?") + "\n" + expression)
        return result["result"].get("value")

    def wait(self, condition):
        end = time.monotonic() + self.patience
        while not self.evaluate(f"Boolean({condition})"):
            if time.monotonic() > end:
                raise BrowserError(f"waited {self.patience} s for {condition}; errors: {self.errors}")
            time.sleep(0.01)

    def settle(self):
        """Lets frames pass, so that what was asked for is unpacked and drawn."""
        self.wait("document.documentElement?.dataset.ready !== 'false'")
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def place(self, selector, x=0.5, y=0.5):
        """A point of an element, scrolled into view."""
        box = self.evaluate(f"""(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;
            e.scrollIntoView({{block: "nearest"}}); const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; }})()""")
        if box is None or box[2] == 0:
            raise BrowserError(f"{selector}: {'not there' if box is None else 'not visible'}")
        return box[0] + box[2] * x, box[1] + box[3] * y

    def mouse(self, kind, at, **more):
        self.send("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **more)

    def hover(self, selector, x=0.5, y=0.5):
        self.mouse("mouseMoved", self.place(selector, x, y))
        self.settle()

    def away(self):
        self.mouse("mouseMoved", (2, 2))
        self.settle()

    def click(self, selector, times=1, modifiers=0):
        at = self.place(selector)
        self.mouse("mouseMoved", at)
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.mouse(kind, at, button="left", clickCount=count, modifiers=modifiers)
        self.settle()

    def press(self, key, shift=False):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36,
                 "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        text = {"text": {"Enter": "\r"}.get(key, key)} if key in (" ", "Enter") else {}
        common = {"key": key, "code": key if key != " " else "Space", "windowsVirtualKeyCode": codes[key], "modifiers": 8 if shift else 0}
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **common, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)
        self.settle()

    # ---- how the page is seen

    def resize(self, width, height, scale=1):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)

    def scheme(self, name):
        """"light" or "dark"."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])
        self.settle()

    def screenshot(self, path):
        Path(path).write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def accessible(self):
        """What a screen reader is given: (role, name, focusable) of each node that it does not skip."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        value = lambda node, name: node.get(name, {}).get("value", "")
        focusable = lambda node: any(p["name"] == "focusable" and p["value"]["value"] for p in node.get("properties", []))
        return [(value(node, "role"), value(node, "name"), focusable(node)) for node in nodes if not node["ignored"]]
