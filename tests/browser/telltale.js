// Before the worker's script, in the tests: what it says and throws, to the site.
{
  const tell = async (type, ...texts) => {
    const body = JSON.stringify([type, texts.join(" ")]);
    for (;;) {
      try {
        await fetch("/said/", { method: "POST", body });
        return;
      } catch {
        // The site is away, as tests have it.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  const types = { info: "info", log: "log", warn: "warning", error: "error" };
  for (const [name, type] of Object.entries(types)) {
    console[name] = (...texts) => tell(type, ...texts);
  }
  addEventListener("error", ({ message }) => tell("exception", message));
  addEventListener("unhandledrejection", ({ reason }) => tell("exception", reason));
}
