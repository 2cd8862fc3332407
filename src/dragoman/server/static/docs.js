// Draws /openapi.json and lets the reader try each operation. Everything it shows is set as text, never as markup.

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function code(text) {
  return element("code", {}, text);
}

function nameOf(reference) {
  return reference.split("/").pop();
}

/** Text in which `backticks` mark code. */
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? code(part) : part));
}

/** A JSON schema in a few words: "string or array of string". */
function inWords(schema) {
  if (schema.$ref) return nameOf(schema.$ref);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.filter((choice) => choice.type !== "null").map(inWords).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.type === "array") return `array of ${schema.items ? inWords(schema.items) : "anything"}`;
  return schema.type ?? "anything";
}

/** What a property says of itself, wherever the generator put it. */
function descriptionOf(schema) {
  return schema.description ?? schema.anyOf?.find((choice) => choice.description)?.description ?? "";
}

function defaultOf(schema) {
  return schema.default === undefined || schema.default === null ? "" : JSON.stringify(schema.default);
}

function propertyRow(name, schema, required) {
  return element("tr", {},
    element("td", {}, code(name)),
    element("td", {}, inWords(schema)),
    element("td", {}, required ? "required" : defaultOf(schema)),
    element("td", {}, ...prose(descriptionOf(schema))));
}

function propertyTable(title, name, schemas) {
  const { properties = {}, required = [], description = "" } = schemas[name];
  const rows = Object.entries(properties).map(([key, schema]) => propertyRow(key, schema, required.includes(key)));
  const head = ["Field", "Type", "Default", "Meaning"].map((text) => element("th", {}, text));
  return element("section", {},
    element("h4", {}, title),
    element("p", { className: "faint" }, ...prose(description)),
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
}

/** The types that a type is made of, itself first. */
function partsOf(name, schemas, seen = new Set()) {
  if (seen.has(name)) return seen;
  seen.add(name);
  JSON.stringify(schemas[name], (key, value) => {
    if (key === "$ref") partsOf(nameOf(value), schemas, seen);
    return value;
  });
  return seen;
}

function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function send(method, path, body) {
  const started = performance.now();
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const key = document.getElementById("key").value;
  if (key) headers.authorization = `Bearer ${key}`;
  const response = await fetch(path, { method, headers, body });
  const text = await response.text();
  const took = `${(performance.now() - started).toFixed(0)} ms`;
  const timing = response.headers.get("server-timing");
  return {
    ok: response.ok,
    line: [`${response.status} ${response.statusText}`, took, timing].filter(Boolean).join(" · "),
    text: readable(text),
  };
}

function bodyInput(path, value) {
  const rows = value.split("\n").length + 1;
  return element("textarea", { value, rows, spellcheck: false, ariaLabel: `Body for ${path}` });
}

function tryOut(method, path, example) {
  const input = example && bodyInput(path, JSON.stringify(example, null, 2));
  const address = path.includes("{") ? element("input", { value: path, ariaLabel: "Path" }) : undefined;
  const button = element("button", { type: "button" }, "Send");
  const output = element("div", { role: "status" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const { ok, line, text } = await send(method, address?.value ?? path, input?.value);
      output.replaceChildren(element("p", { className: ok ? "" : "bad" }, line), element("pre", {}, text));
    } catch (error) {
      output.replaceChildren(element("p", { className: "bad" }, `The server cannot be reached: ${error.message}`));
    } finally {
      button.disabled = false;
    }
  });
  return element("section", {}, element("h4", {}, "Try it"), ...[address, input].filter(Boolean), button, output);
}

function failuresOf(responses) {
  const failures = Object.entries(responses).filter(([status]) => !status.startsWith("2"));
  if (!failures.length) return [];
  const lines = failures.map(([status, { description }]) => `${status} ${description}`);
  return [element("p", { className: "faint" }, `Other answers: ${lines.join(", ")}.`)];
}

function answerTables(responses, schemas) {
  const [, { content }] = Object.entries(responses).find(([status]) => status.startsWith("2"));
  const reference = Object.values(content ?? {})[0]?.schema?.$ref;
  const names = reference ? [...partsOf(nameOf(reference), schemas)] : [];
  return names.map((name, index) => propertyTable(index ? name : "Answer", name, schemas));
}

function operationBox(path, method, operation, schemas) {
  const media = operation.requestBody?.content["application/json"];
  return element("details", { id: operation.operationId },
    element("summary", {},
      element("span", { className: "method" }, method.toUpperCase()), code(path),
      element("span", { className: "faint" }, operation.summary)),
    element("div", { className: "inside" },
      element("p", {}, ...prose(operation.description)),
      tryOut(method.toUpperCase(), path, media?.example),
      ...(media ? [propertyTable("Body", nameOf(media.schema.$ref), schemas)] : []),
      ...answerTables(operation.responses, schemas),
      ...failuresOf(operation.responses)));
}

function problemRow({ type, status, title }) {
  const id = type.split("#")[1];
  return element("tr", { id }, element("td", {}, code(type)), element("td", {}, String(status)), element("td", {}, title));
}

function draw({ info, paths, components, "x-problem-types": problems }) {
  document.getElementById("version").textContent = info.version;
  document.getElementById("summary").textContent = info.summary;
  const boxes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationBox(path, method, operation, components.schemas)));
  boxes[0].open = true;
  document.getElementById("problems").replaceChildren(...problems.map(problemRow));
  const main = document.getElementById("operations");
  main.replaceChildren(element("h2", {}, "Operations"), ...boxes);
  main.removeAttribute("aria-busy");
  // The rows came after the browser looked for the link's anchor.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

const response = await fetch("/openapi.json");
draw(await response.json());
