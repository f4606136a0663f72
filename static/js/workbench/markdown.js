// Markdown of strangers (models, datasets, colleagues) as elements that can do nothing: the only place of the
// workbench where text becomes markup.
import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";

/** Longer texts are cut: a page that stands still helps nobody. The plain text always shows all. */
const MAX_CHARS = 300_000;
const MAY_LINK = /^(https?:|mailto:)/i;

const markdown = new MarkdownIt({ html: false, linkify: false, breaks: true });
markdown.validateLink = (address) => MAY_LINK.test(address.trim());
// An image would be fetched from wherever the text says, and tell who reads it: its words and its address stand there.
markdown.renderer.rules.image = (tokens, index) => {
  const token = tokens[index];
  const { escapeHtml } = markdown.utils;
  const address = token.attrGet("src") ?? "";
  const words = escapeHtml(`Image: ${token.content || address}`);
  return MAY_LINK.test(address) ? `<a href="${escapeHtml(address)}">${words}</a>` : words;
};

// Alignment would come as a style attribute, which the page's content security policy refuses.
for (const cell of ["th", "td"]) markdown.renderer.rules[`${cell}_open`] = () => `<${cell}>`;

const purifier = DOMPurify(window);
purifier.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

const ALLOWED = {
  ALLOWED_TAGS: [
    ...["p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "ul", "ol", "li"],
    ...["em", "strong", "s", "a", "table", "thead", "tbody", "tr", "th", "td"],
  ],
  ALLOWED_ATTR: ["href", "start", "title"],
  ALLOWED_URI_REGEXP: MAY_LINK,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

/**
 * @param {string} text
 * @returns {DocumentFragment} with neither scripts, styles, images nor links but to the web and to mail
 */
export function renderMarkdown(text) {
  const cut = text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}\n\n…` : text;
  const fragment = purifier.sanitize(markdown.render(cut), ALLOWED);
  quietHeadings(fragment);
  return fragment;
}

/** Headings of a text are no headings of the page: they would upset the order that screen readers walk by. */
function quietHeadings(fragment) {
  for (const heading of fragment.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const plain = document.createElement("p");
    plain.className = `markdown-heading markdown-${heading.nodeName.toLowerCase()}`;
    plain.append(...heading.childNodes);
    heading.replaceWith(plain);
  }
}
