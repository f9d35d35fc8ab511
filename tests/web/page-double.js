// What scripts of the page need from a browser, as far as unit tests go: files of web/, answers of a server, and a
// document whose elements only hold other elements.

import { readFile } from "node:fs/promises";

/** Requests that scripts sent, and the answer to the next ones: `(url, options) => Response`. */
export const server = {
  requests: [],
  answer: () => new Response("{}"),
};

class Element {
  children = [];
  attributes = new Map();
  classList = { add: (...names) => names.forEach((name) => this.classes.add(name)) };
  classes = new Set();

  append(...children) {
    this.children.push(...children);
  }

  replaceChildren(...children) {
    this.children = children;
  }

  setAttribute(name, value) {
    this.attributes.set(name, value);
  }

  addEventListener() {}

  contains(other) {
    return this === other || this.children.some((child) => child.contains?.(other));
  }

  /** Elements inside, of a class such as `.live`. */
  querySelectorAll(selector) {
    const inner = this.children.flatMap((child) => child.querySelectorAll?.(selector) ?? []);
    const own = this.children.filter((child) => child.classes?.has(selector.slice(1)));
    return [...own, ...inner];
  }
}

const body = new Element();

/** Loads modules of web/ in this surrounding. */
export async function load(...names) {
  return Promise.all(names.map((name) => import(`../../web/${name}`)));
}

/** Shows the texts of a language, with a part such as `gate`. */
export async function useLanguage(name, part) {
  const [{ setLanguage }] = await load("lib/text.js");
  await setLanguage(name, part);
}

Object.assign(globalThis, {
  BroadcastChannel: class {
    addEventListener() {}
    postMessage() {}
  },
  document: {
    body,
    documentElement: {},
    activeElement: null,
    createElement: () => new Element(),
    querySelectorAll: (selector) => body.querySelectorAll(selector),
  },
  location: { href: "http://keyhouse.test/keys/invitation#token=none" },
  async fetch(url, options) {
    if (url.protocol === "file:") return new Response(await readFile(url));
    server.requests.push({ url, ...options });
    return server.answer(url, options);
  },
});
