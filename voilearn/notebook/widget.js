// The page in a notebook's front end, as anywidget has it: one visit, drawn as often as need be.
// In: a widget's model and an element; out: the page in it.

import { showPage } from "../page/page.js";
import { Visit } from "../page/visit.js";
import { KernelAsker } from "./asker.js";

// anywidget may draw the page anew at any time; the visit goes on.
export default () => {
  let visit;
  return {
    initialize({ model }) {
      visit = new Visit(new KernelAsker(model));
      return () => visit.end();
    },
    render({ model, el }) {
      el.innerHTML = model.get("_html");
      return showPage(el.firstElementChild, visit, { everywhere: false });
    },
  };
};
