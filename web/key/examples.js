// Lines that call the instance with a new key, in the languages of its users. Only those of `HAS_SECRET` contain the
// secret; the others read it from the environment, as programs should.

/** The environment variable of the examples. */
const VARIABLE = "API_KEY";

/**
 * The examples, in the order of their tabs.
 *
 * @type {Record<string, {label: string, lines: (url: string, secret: string) => string[]}>}
 */
export const EXAMPLES = {
  curl: {
    label: "curl",
    lines: (url, secret) => [`curl -H "Authorization: Bearer ${secret}" ${url}`],
  },
  python: {
    label: "Python",
    lines: (url) => [
      "import os",
      "from urllib.request import Request, urlopen",
      "",
      `request = Request("${url}")`,
      `request.add_header("Authorization", "Bearer " + os.environ["${VARIABLE}"])`,
      "print(urlopen(request).read().decode())",
    ],
  },
  node: {
    label: "Node.js",
    lines: (url) => [
      `const response = await fetch("${url}", {`,
      `  headers: { Authorization: \`Bearer \${process.env.${VARIABLE}}\` },`,
      "});",
      "console.log(await response.json());",
    ],
  },
  go: {
    label: "Go",
    lines: (url) => [
      "package main",
      "",
      "import (",
      '\t"io"',
      '\t"log"',
      '\t"net/http"',
      '\t"os"',
      ")",
      "",
      "func main() {",
      `\trequest, _ := http.NewRequest("GET", "${url}", nil)`,
      `\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("${VARIABLE}"))`,
      "\tresponse, err := http.DefaultClient.Do(request)",
      "\tif err != nil {",
      "\t\tlog.Fatal(err)",
      "\t}",
      "\tdefer response.Body.Close()",
      "\tio.Copy(os.Stdout, response.Body)",
      "}",
    ],
  },
  env: {
    label: ".env",
    lines: (_, secret) => [`${VARIABLE}=${secret}`],
  },
};

/** The examples that contain the secret. */
export const HAS_SECRET = ["curl", "env"];
