// The form behind a one-time link: of the first start, of an invitation, of a reset. The token comes
// in the link's fragment, which no server and no log ever sees, and is taken out of the address bar
// at once. The form says where it goes; its fields are its inputs.

const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
history.replaceState(null, "", location.pathname);

const form = document.querySelector("form[data-target]");
const names = [...form.querySelectorAll("input")].map((input) => input.name);
const faultOf = (name) => document.getElementById(`${name}-fault`);

if (token === "") {
  faultOf("form").textContent = "This address lacks its token. Open the whole link that you were given.";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clear();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const response = await fetch(form.dataset.target, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, ...filled() }),
    });
    if (response.ok) {
      finish();
    } else {
      show(await response.json());
    }
  } catch {
    faultOf("form").textContent = "Keyhouse did not answer. Nothing you typed is lost: try again.";
  } finally {
    button.disabled = false;
  }
});

function filled() {
  const entries = names.map((name) => [name, form.elements[name].value]);
  return Object.fromEntries(entries.filter(([, value]) => value !== ""));
}

function clear() {
  faultOf("form").textContent = "";
  for (const name of names) {
    faultOf(name).textContent = "";
    form.elements[name].removeAttribute("aria-invalid");
  }
}

function show(problem) {
  let first = null;
  for (const { pointer, detail } of problem.errors ?? []) {
    const name = pointer.slice(1);
    if (!names.includes(name)) {
      continue;
    }
    faultOf(name).textContent = detail;
    form.elements[name].setAttribute("aria-invalid", "true");
    first ??= form.elements[name];
  }
  if (first === null) {
    faultOf("form").textContent = problem.detail ?? problem.title;
  } else {
    first.focus();
  }
}

function finish() {
  form.hidden = true;
  const done = document.getElementById("done");
  done.hidden = false;
  done.querySelector("h2").focus();
}
