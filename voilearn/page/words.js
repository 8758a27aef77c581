// The page's words: one table of five languages, chosen by the browser's.
// In: a key and values; out: a sentence.

/**
 * @import { Problem } from "./problem.js"
 * @import { ModelInfo } from "./types.d.ts"
 */

/** @typedef {keyof typeof ENGLISH} Key */

const ENGLISH = {
  choose: "Choose a photo",
  drop: "or drop or paste one, or several, anywhere on this page",
  dropOne: "or drop or paste one anywhere on this page",
  camera: "Take a photo",
  snap: "Take the photo",
  noCamera: "The camera can't be used: it is missing, busy, or this page may not use it.",
  cancel: "Cancel",
  photo: "The photo you chose",
  held: "Your photo waits until the page is ready…",
  queued: "This photo waits for its turn…",
  reading: "Reading the photo…",
  sending: "Sending the photo…",
  looking: "Looking at the photo…",
  loading: "Looking at the photo… The model is being loaded, so the first answer takes longer.",
  busy: "Many photos are waiting at the moment. Trying again in {seconds}\u00a0s.",
  cancelled: "Cancelled.",
  sure: "{name}, {percent} sure",
  probably: "{name}, about {percent} sure",
  perhaps: "Perhaps: {name}, about {percent} sure",
  unsure: "Hard to say. Perhaps: {name}, only about {percent} sure",
  none: "None of the {count} things this model knows",
  percent: "{number} %",
  over: "over {number} %",
  under: "under {number} %",
  all: "Show all {count}",
  sent: "The original has {width} × {height} pixels; {kilobytes} kB were sent.",
  whole: "{kilobytes} kB were sent.",
  classify: "Classify",
  copy: "Copy answer",
  copied: "Copied",
  json: "Download JSON",
  csv: "Download CSV",
  visit: "This visit",
  examples: "Examples",
  lost: "The connection to this page is lost. Your photos are kept.",
  gone: "The server does not answer yet. Your photos are kept.",
  reconnect: "Reconnect",
  reconnecting: "Reconnecting…",
  broken: "This page can't answer at the moment.",
  ended: "The notebook does not answer. If its kernel was restarted, run this cell again.",
  leftOut: "There is room for 100 photos at a time: {count} were left out. Choose them again later.",
  upgraded: "The model has been upgraded. This answer is of the one before.",
  askAgain: "Ask again",
  privacy: "Photos are scaled down in your browser, looked at and forgotten: none is stored.",
  unreadable: "The browser can't read this file. Please choose it again, or another photo.",
  PhotoTooLarge: "This file or picture is too large. Please choose a smaller one.",
  UnsupportedPhoto: "This is no picture that can be read here. Please choose a photo, such as a JPEG or PNG.",
  DamagedPhoto: "This picture is damaged or incomplete. Please choose the original, or another one.",
  HiddenPixels:
    "This browser hides pictures from pages, as a protection against fingerprinting. Please use another browser.",
  EmptyPhoto: "This file is empty. Please choose the photo again.",
  UnusableModel: "The model of this page can't answer. Please tell whoever runs the page.",
  ServiceError: "The service behind this page does not answer. Please try again.",
  VoilearnError: "Something went wrong on our side. Please try again, or try another photo.",
};

// In English, an error is said in the sentence that came with it, where one did.
/** @type {Record<string, Partial<Record<Key, string>>>} */
export const TABLE = {
  en: ENGLISH,
  de: {
    choose: "Foto auswählen",
    drop: "oder eines oder mehrere irgendwo auf dieser Seite ablegen oder einfügen",
    dropOne: "oder eines irgendwo auf dieser Seite ablegen oder einfügen",
    camera: "Foto aufnehmen",
    snap: "Jetzt aufnehmen",
    noCamera: "Die Kamera ist nicht nutzbar: Sie fehlt, ist belegt oder für diese Seite gesperrt.",
    cancel: "Abbrechen",
    photo: "Das ausgewählte Foto",
    held: "Das Foto wartet, bis die Seite bereit ist …",
    queued: "Dieses Foto ist noch nicht an der Reihe …",
    reading: "Das Foto wird gelesen …",
    sending: "Das Foto wird gesendet …",
    looking: "Das Foto wird angesehen …",
    loading: "Das Foto wird angesehen … Das Modell wird geladen, die erste Antwort dauert länger.",
    busy: "Im Moment warten viele Fotos. Nächster Versuch in {seconds}\u00a0s.",
    cancelled: "Abgebrochen.",
    sure: "{name}, zu {percent} sicher",
    probably: "{name}, zu etwa {percent} sicher",
    perhaps: "Vielleicht: {name}, zu etwa {percent} sicher",
    unsure: "Schwer zu sagen. Vielleicht: {name}, nur zu etwa {percent} sicher",
    none: "Nichts von den {count} Dingen, die dieses Modell kennt",
    over: "über {number} %",
    under: "unter {number} %",
    all: "Alle {count} zeigen",
    sent: "Das Original hat {width} × {height} Pixel; gesendet wurden {kilobytes} kB.",
    whole: "Gesendet wurden {kilobytes} kB.",
    classify: "Klassifizieren",
    copy: "Antwort kopieren",
    copied: "Kopiert",
    json: "JSON herunterladen",
    csv: "CSV herunterladen",
    visit: "Dieser Besuch",
    examples: "Beispiele",
    lost: "Die Verbindung zu dieser Seite ist abgebrochen. Die Fotos sind noch da.",
    gone: "Der Server antwortet noch nicht. Die Fotos sind noch da.",
    reconnect: "Neu verbinden",
    reconnecting: "Verbindung wird hergestellt …",
    broken: "Diese Seite kann gerade nicht antworten.",
    ended:
      "Das Notebook antwortet nicht. Wurde sein Kernel neu gestartet, bitte diese Zelle noch einmal ausführen.",
    leftOut:
      "Es ist Platz für 100 Fotos auf einmal: {count} wurden ausgelassen. Bitte später noch einmal auswählen.",
    upgraded: "Das Modell wurde erneuert. Diese Antwort stammt noch vom alten.",
    askAgain: "Noch einmal fragen",
    privacy: "Fotos werden im Browser verkleinert, angesehen und vergessen: Keines wird gespeichert.",
    unreadable:
      "Der Browser kann diese Datei nicht lesen. Bitte noch einmal oder ein anderes Foto auswählen.",
    PhotoTooLarge: "Diese Datei oder dieses Bild ist zu groß. Bitte ein kleineres auswählen.",
    UnsupportedPhoto:
      "Das ist kein Bild, das hier gelesen werden kann. Bitte ein Foto auswählen, etwa JPEG oder PNG.",
    DamagedPhoto:
      "Dieses Bild ist beschädigt oder unvollständig. Bitte das Original oder ein anderes auswählen.",
    HiddenPixels:
      "Dieser Browser verbirgt Bilder vor Webseiten, zum Schutz vor Wiedererkennung. Bitte einen anderen Browser verwenden.",
    EmptyPhoto: "Diese Datei ist leer. Bitte das Foto noch einmal auswählen.",
    UnusableModel:
      "Das Modell dieser Seite kann nicht antworten. Bitte dem Betreiber der Seite Bescheid geben.",
    ServiceError: "Der Dienst hinter dieser Seite antwortet nicht. Bitte noch einmal versuchen.",
    VoilearnError:
      "Bei uns ist etwas schiefgegangen. Bitte noch einmal oder mit einem anderen Foto versuchen.",
  },
  fr: {
    choose: "Choisir une photo",
    drop: "ou déposez-en ou collez-en une ou plusieurs n’importe où sur cette page",
    dropOne: "ou déposez-en ou collez-en une n’importe où sur cette page",
    camera: "Prendre une photo",
    snap: "Prendre la photo",
    noCamera: "L’appareil photo est absent, occupé ou interdit à cette page.",
    cancel: "Annuler",
    photo: "La photo choisie",
    held: "La photo attend que la page soit prête…",
    queued: "Cette photo attend son tour…",
    reading: "Lecture de la photo…",
    sending: "Envoi de la photo…",
    looking: "Examen de la photo…",
    loading: "Examen de la photo… Le modèle se charge : la première réponse prend plus de temps.",
    busy: "Beaucoup de photos attendent en ce moment. Nouvel essai dans {seconds}\u00a0s.",
    cancelled: "Annulé.",
    sure: "{name}, sûr à {percent}",
    probably: "{name}, sûr à {percent} environ",
    perhaps: "Peut-être : {name}, sûr à {percent} environ",
    unsure: "Difficile à dire. Peut-être : {name}, sûr à {percent} environ seulement",
    none: "Aucune des {count} choses que ce modèle connaît",
    over: "plus de {number} %",
    under: "moins de {number} %",
    all: "Tout montrer ({count})",
    sent: "L’original a {width} × {height} pixels ; {kilobytes} ko ont été envoyés.",
    whole: "{kilobytes} ko ont été envoyés.",
    classify: "Classer",
    copy: "Copier la réponse",
    copied: "Copié",
    json: "Télécharger en JSON",
    csv: "Télécharger en CSV",
    visit: "Cette visite",
    examples: "Exemples",
    lost: "La connexion à cette page est perdue. Vos photos sont gardées.",
    gone: "Le serveur ne répond pas encore. Vos photos sont gardées.",
    reconnect: "Se reconnecter",
    reconnecting: "Reconnexion…",
    broken: "Cette page ne peut pas répondre pour le moment.",
    ended: "Le notebook ne répond pas. Si son noyau a été redémarré, exécutez de nouveau cette cellule.",
    leftOut:
      "Il y a place pour 100 photos à la fois : {count} ont été laissées de côté. Choisissez-les de nouveau plus tard.",
    upgraded: "Le modèle a été renouvelé. Cette réponse vient de l’ancien.",
    askAgain: "Demander à nouveau",
    privacy:
      "Les photos sont réduites dans votre navigateur, examinées et oubliées : aucune n’est conservée.",
    unreadable: "Le navigateur ne peut pas lire ce fichier. Choisissez-le à nouveau, ou une autre photo.",
    PhotoTooLarge: "Ce fichier ou cette image est trop grand. Choisissez-en un plus petit.",
    UnsupportedPhoto: "Ce n’est pas une image lisible ici. Choisissez une photo, en JPEG ou PNG par exemple.",
    DamagedPhoto: "Cette image est abîmée ou incomplète. Choisissez l’original, ou une autre photo.",
    HiddenPixels:
      "Ce navigateur cache les images aux pages, pour éviter qu’on le reconnaisse. Utilisez un autre navigateur.",
    EmptyPhoto: "Ce fichier est vide. Choisissez la photo à nouveau.",
    UnusableModel: "Le modèle de cette page ne peut pas répondre. Prévenez la personne qui s’en occupe.",
    ServiceError: "Le service derrière cette page ne répond pas. Essayez à nouveau.",
    VoilearnError: "Quelque chose s’est mal passé de notre côté. Essayez à nouveau, ou avec une autre photo.",
  },
  es: {
    choose: "Elegir una foto",
    drop: "o suelte o pegue una o varias en cualquier lugar de esta página",
    dropOne: "o suelte o pegue una en cualquier lugar de esta página",
    camera: "Hacer una foto",
    snap: "Hacer la foto",
    noCamera: "No se puede usar la cámara: falta, está ocupada o esta página no tiene permiso.",
    cancel: "Cancelar",
    photo: "La foto elegida",
    held: "La foto espera a que la página esté lista…",
    queued: "Esta foto espera su turno…",
    reading: "Leyendo la foto…",
    sending: "Enviando la foto…",
    looking: "Mirando la foto…",
    loading: "Mirando la foto… El modelo se está cargando: la primera respuesta tarda más.",
    busy: "En este momento esperan muchas fotos. Nuevo intento en {seconds}\u00a0s.",
    cancelled: "Cancelado.",
    sure: "{name}, con un {percent} de seguridad",
    probably: "{name}, con cerca de un {percent} de seguridad",
    perhaps: "Quizá: {name}, con cerca de un {percent} de seguridad",
    unsure: "Difícil de decir. Quizá: {name}, con solo cerca de un {percent} de seguridad",
    none: "Ninguna de las {count} cosas que este modelo conoce",
    over: "más del {number} %",
    under: "menos del {number} %",
    all: "Mostrar las {count}",
    sent: "El original tiene {width} × {height} píxeles; se enviaron {kilobytes} kB.",
    whole: "Se enviaron {kilobytes} kB.",
    classify: "Clasificar",
    copy: "Copiar la respuesta",
    copied: "Copiado",
    json: "Descargar JSON",
    csv: "Descargar CSV",
    visit: "Esta visita",
    examples: "Ejemplos",
    lost: "Se perdió la conexión con esta página. Sus fotos se conservan.",
    gone: "El servidor aún no responde. Sus fotos se conservan.",
    reconnect: "Volver a conectar",
    reconnecting: "Conectando…",
    broken: "Esta página no puede responder en este momento.",
    ended: "El cuaderno no responde. Si se reinició su núcleo, vuelva a ejecutar esta celda.",
    leftOut: "Hay sitio para 100 fotos a la vez: {count} se han dejado fuera. Elíjalas de nuevo más tarde.",
    upgraded: "El modelo se ha renovado. Esta respuesta es del anterior.",
    askAgain: "Preguntar de nuevo",
    privacy: "Las fotos se reducen en su navegador, se miran y se olvidan: ninguna se guarda.",
    unreadable: "El navegador no puede leer este archivo. Elíjalo de nuevo, o elija otra foto.",
    PhotoTooLarge: "Este archivo o esta imagen es demasiado grande. Elija uno más pequeño.",
    UnsupportedPhoto: "No es una imagen que se pueda leer aquí. Elija una foto, por ejemplo JPEG o PNG.",
    DamagedPhoto: "Esta imagen está dañada o incompleta. Elija el original, u otra foto.",
    HiddenPixels:
      "Este navegador oculta las imágenes a las páginas, para que no lo reconozcan. Use otro navegador.",
    EmptyPhoto: "Este archivo está vacío. Elija la foto de nuevo.",
    UnusableModel: "El modelo de esta página no puede responder. Avise a quien la mantiene.",
    ServiceError: "El servicio de esta página no responde. Inténtelo de nuevo.",
    VoilearnError: "Algo salió mal por nuestra parte. Inténtelo de nuevo, o con otra foto.",
  },
  zh: {
    choose: "选择照片",
    drop: "也可以把一张或多张照片拖放或粘贴到本页任意位置",
    dropOne: "也可以把一张照片拖放或粘贴到本页任意位置",
    camera: "拍照",
    snap: "拍摄",
    noCamera: "无法使用相机：没有相机、相机被占用，或本页没有权限。",
    cancel: "取消",
    photo: "您选择的照片",
    held: "页面准备好后就会查看您的照片……",
    queued: "这张照片正在排队……",
    reading: "正在读取照片……",
    sending: "正在发送照片……",
    looking: "正在查看照片……",
    loading: "正在查看照片……模型正在加载，第一次回答需要久一些。",
    busy: "现在有很多照片在排队，{seconds} 秒后重试。",
    cancelled: "已取消。",
    sure: "{name}，把握 {percent}",
    probably: "{name}，把握约 {percent}",
    perhaps: "可能是{name}，把握约 {percent}",
    unsure: "很难判断。可能是{name}，把握只有约 {percent}",
    none: "不属于这个模型认识的 {count} 类",
    percent: "{number}%",
    over: "{number}% 以上",
    under: "不到 {number}%",
    all: "显示全部 {count} 类",
    sent: "原图 {width} × {height} 像素，发送了 {kilobytes} kB。",
    whole: "发送了 {kilobytes} kB。",
    classify: "识别",
    copy: "复制回答",
    copied: "已复制",
    json: "下载 JSON",
    csv: "下载 CSV",
    visit: "本次访问",
    examples: "示例",
    lost: "与本页的连接已断开。您的照片还在。",
    gone: "服务器还没有响应。您的照片还在。",
    reconnect: "重新连接",
    reconnecting: "正在重新连接……",
    broken: "本页暂时无法回答。",
    ended: "笔记本没有响应。如果内核已重启，请重新运行这个单元格。",
    leftOut: "一次最多 100 张照片：有 {count} 张未被接收。请稍后再选。",
    upgraded: "模型已经更新，这个回答来自旧模型。",
    askAgain: "再问一次",
    privacy: "照片在您的浏览器中缩小，看过就忘：不会保存任何照片。",
    unreadable: "浏览器无法读取这个文件。请重新选择，或换一张照片。",
    PhotoTooLarge: "这个文件或图片太大了。请选择小一些的。",
    UnsupportedPhoto: "这不是这里能读取的图片。请选择照片，例如 JPEG 或 PNG。",
    DamagedPhoto: "这张图片已损坏或不完整。请选择原图或另一张照片。",
    HiddenPixels: "此浏览器为防止指纹识别，不让网页读取图片。请使用其他浏览器。",
    EmptyPhoto: "这个文件是空的。请重新选择照片。",
    UnusableModel: "本页的模型无法回答。请告诉管理本页的人。",
    ServiceError: "本页背后的服务没有响应。请再试一次。",
    VoilearnError: "我们这边出了问题。请再试一次，或换一张照片。",
  },
};

/** @type {Key[]} */
const PHOTO_ERRORS = ["PhotoTooLarge", "UnsupportedPhoto", "DamagedPhoto", "HiddenPixels", "EmptyPhoto"];
/** @type {Key[]} */
const OTHER_ERRORS = ["UnusableModel", "VoilearnError"];

// The first of the browser's languages that the table has; English if it has none of them.
export const language =
  (navigator.languages ?? []).map((tag) => tag.split("-")[0].toLowerCase()).find((tag) => tag in TABLE) ??
  "en";

/**
 * Returns the words under a key, in the visitor's language, with {name}s replaced by values.
 * @param {Key} key
 * @param {Record<string, unknown>} [values]
 */
export function say(key, values = {}) {
  const words = TABLE[language][key] ?? ENGLISH[key];
  return words.replace(/\{(\w+)\}/g, (_, name) => `${values[name]}`);
}

/**
 * Puts what the page's elements say into the visitor's language.
 * @param {HTMLElement} el
 */
export function translate(el) {
  /** @type {(name: string, put: (each: HTMLElement, words: string) => void) => void} */
  const all = (name, put) => {
    for (const each of el.querySelectorAll(`[data-${name}]`)) {
      const [at, key] = /** @type {[HTMLElement, Key]} */ ([each, each.getAttribute(`data-${name}`)]);
      put(at, say(key));
    }
  };
  all("say", (each, words) => (each.textContent = words));
  all("alt", (each, words) => each.setAttribute("alt", words));
  all("label", (each, words) => each.setAttribute("aria-label", words));
}

/**
 * Returns the sentence of an error, of which the server gave type and sentence.
 * @param {Pick<Problem, "type" | "message">} error
 */
export function sayError({ type, message }) {
  if (language === "en" && message) return message;
  if (type === "PhotoNotFound") return say("unreadable");
  return say([...PHOTO_ERRORS, ...OTHER_ERRORS].find((key) => key === type) ?? "ServiceError");
}

/**
 * Tells whether an error is of the photo itself, so that asking again is of no use.
 * @param {Problem} [error]
 */
export function isAtFault(error) {
  return [...PHOTO_ERRORS, "PhotoNotFound"].some((type) => type === error?.type);
}

/**
 * Writes a probability in whole percent, and never as a certainty.
 * @param {number} probability
 */
export function percent(probability) {
  const rounded = Math.round(100 * probability);
  if (rounded < 1) return say("under", { number: 1 });
  return rounded > 99 ? say("over", { number: 99 }) : say("percent", { number: rounded });
}

/**
 * Says an answer: how sure in plain steps, by the percent only where the model is sure.
 * @param {object} answer
 * @param {ModelInfo["task"]} answer.task
 * @param {string[]} answer.names  of the classes found, as the author says them
 * @param {number} answer.count  of the model's classes
 * @param {number} answer.probability
 */
export function sayAnswer({ task, names, count, probability }) {
  if (task === "multi-label") return names.join(", ") || say("none", { count });
  const [name] = names;
  if (probability >= 0.9) return say("sure", { name, percent: percent(probability) });
  const key = probability >= 0.7 ? "probably" : probability >= 0.5 ? "perhaps" : "unsure";
  const number = Math.max(1, 5 * Math.round(20 * probability));
  return say(key, { name, percent: say("percent", { number }) });
}
