// The page in a notebook's front end, as anywidget has it: one visit, drawn as often as need be.
// In: a widget's model and an element; out: the page in it.

/** @import { Model } from "./messages.d.ts" */
import { showPage } from "../page/page.js";
import { PhotoReader, workerOf } from "../page/reader.js";
import { Visit } from "../page/visit.js";
import { KernelAsker } from "./asker.js";

// anywidget may draw the page anew at any time; the visit goes on.
export default () => {
  /** @type {Visit} */
  let visit;
  return {
    /** @param {object} widget @param {Model} widget.model */
    initialize({ model }) {
      const reader = new PhotoReader(() => workerOf(model.get("_photo_worker")));
      visit = new Visit(new KernelAsker(model), reader);
      return () => visit.end();
    },
    /** @param {object} widget @param {Model} widget.model @param {HTMLElement} widget.el */
    render({ model, el }) {
      el.innerHTML = model.get("_html");
      return showPage(/** @type {HTMLElement} */ (el.firstElementChild), visit, {
        everywhere: false,
        privacy: "privacy",
      });
    },
  };
};
