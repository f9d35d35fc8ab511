// ESLint rules of this page: each file starts with a comment about its purpose, and scripts contain
// no texts for users.

/** Names and protocol words in the code that are not texts for users. */
const NO_TEXT = [
  "Keyhouse",
  "English",
  "Français",
  "Español",
  "Caddy",
  "Traefik",
  "Envoy",
  "Content-Type",
  "Retry-After",
  "Enter",
  "Escape",
  "Ctrl",
  "Esc",
];

/** Functions whose first argument is a selector. */
const TAKE_SELECTORS = ["querySelector", "querySelectorAll", "matches", "closest"];

/** Whether a text in the code reads like one for users: a capitalized word, or several words. */
export function readsLikeText(text) {
  if (NO_TEXT.includes(text.trimEnd().replace(/:+$/, ""))) return false;
  const isWord = (word) => /^[\p{Alphabetic}’]{2,}\P{Alphabetic}*$/u.test(word);
  const isTitle = /^\p{Lu}\p{Ll}+$/u.test(text);
  return isTitle || text.split(/\s+/).filter(isWord).length > 1;
}

const firstLine = {
  meta: { type: "suggestion", schema: [], messages: { missing: "The first line says what the file is." } },
  create: (context) => ({
    Program(node) {
      if (!context.sourceCode.text.startsWith("// ")) context.report({ node, messageId: "missing" });
    },
  }),
};

const noUserTexts = {
  meta: { type: "problem", schema: [], messages: { text: "Texts for users are in web/locales: {{text}}" } },
  create(context) {
    const isSelector = ({ parent }) =>
      parent.type === "CallExpression" && TAKE_SELECTORS.includes(parent.callee.property?.name);
    const check = (node, text) => {
      if (readsLikeText(text)) context.report({ node, messageId: "text", data: { text: JSON.stringify(text) } });
    };
    return {
      Literal(node) {
        if (typeof node.value === "string" && !isSelector(node)) check(node, node.value);
      },
      TemplateLiteral(node) {
        if (!isSelector(node)) node.quasis.forEach((part) => check(part, part.value.cooked));
      },
    };
  },
};

export default { rules: { "first-line": firstLine, "no-user-texts": noUserTexts } };
