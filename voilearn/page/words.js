// The page's words: one table of five languages, chosen by the browser's.
// In: a key and values; out: a sentence.

/**
 * @import { Problem } from "./problem.js"
 * @import { ModelInfo, Prediction } from "./types.d.ts"
 */

/** @typedef {keyof typeof ENGLISH} Key */

const ENGLISH = {
  choose: "Choose a photo",
  drop: "or drop or paste one, or several, anywhere on this page",
  camera: "Take a photo",
  snap: "Take the photo",
  askCamera: "The browser may ask whether this page may use the camera.",
  noCamera: "The camera can't be used: it is missing, busy, or this page may not use it.",
  cancel: "Cancel",
  photo: "The photo you chose",
  held: "Your photo waits until the page is ready…",
  queued: "This photo waits for its turn…",
  reading: "Reading the photo…",
  sending: "Sending the photo…",
  looking: "Looking at the photo…",
  loading: "Looking at the photo… The model is being loaded, so the first answer takes longer.",
  oneBefore: "One photo is looked at before yours…",
  before: "{count} photos are looked at before yours…",
  busy: "Many photos are waiting at the moment. Trying again in {seconds}\u00a0s.",
  unanswered: "No answer",
  cancelled: "Cancelled.",
  sure: "{name}, {percent} sure",
  probably: "{name}, about {percent} sure",
  perhaps: "Perhaps: {name}, about {percent} sure",
  unsure: "Hard to say. Perhaps: {name}, only about {percent} sure",
  none: "None of the {count} things this model knows",
  outside: "This doesn't look like any of the things I know",
  nearest: "The nearest of them: {name}",
  outsideShort: "None of these",
  percent: "{number} %",
  over: "over {number} %",
  under: "under {number} %",
  all: "Show all {count}",
  sent: "{width} × {height} pixels, made smaller here: from {megabytes} MB to {kilobytes} kB.",
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
  untitled: "What does this photo show?",
  tokenNeeded: "This page is for those who have its token. Whoever runs it can give you one.",
  token: "Token",
  tokenTake: "Open the page",
  tokenWrong: "This token is not the right one. Please check it, and try again.",
  broken: "This page can't answer at the moment.",
  failedCell:
    "The notebook of this page did not run to its end. Whoever runs the page finds the reason in the server's log.",
  ended: "The notebook does not answer. If its kernel was restarted, run this cell again.",
  leftOut: "There is room for 100 photos at a time: {count} were left out. Choose them again later.",
  upgraded: "The model has been upgraded. This answer is of the one before.",
  askAgain: "Ask again",
  answeredBy: "Answered by {runtime}.",
  answeredLike:
    "Answered by {runtime}, which runs a compiled copy of the trained model: on test pictures, the two differed by {percent} at most.",
  privacy: "Photos are scaled down in your browser, looked at and forgotten: none is stored.",
  unreadable: "The browser can't read this file. Please choose it again, or another photo.",
  PhotoTooLarge: "This file or picture is too large. Please choose a smaller one.",
  UnsupportedPhoto: "This is no picture that can be read here. Please choose a photo, such as a JPEG or PNG.",
  DamagedPhoto:
    "This picture is damaged or incomplete, so it can't be opened. Please choose the original file again, or another photo.",
  HiddenPixels:
    "This browser hides pictures from pages, as a protection against fingerprinting. Please use another browser.",
  EmptyPhoto: "This file is empty. Please choose the photo again.",
  UnusableModel: "The model of this page can't answer. Please tell whoever runs the page.",
  ServiceError: "The service behind this page does not answer. Please try again.",
  VoilearnError: "Something went wrong on our side. Please try again, or try another photo.",
  // of the page on the visitor's own device
  noScript:
    "This page needs JavaScript, which is turned off in this browser. Please turn it on for this page.",
  unopened:
    "This page does not start. It needs a browser of 2023 or newer, and an address on the web: it does not run as a file from a folder.",
  starting: "Starting…",
  downloading: "Downloading the model: {loaded} of {total} MB.",
  startingModel: "Starting the model…",
  download: "Downloading",
  tryAgain: "Try again",
  onDevice: "Your photo never leaves this device: the model runs in your browser.",
  offline: "This page now works without a network.",
  model: "The model",
  runtime: "The runtime",
  example: "This example",
  missing:
    "{what} is missing on the server, which answers {status}. Please try again later; whoever runs this page can put it back with: make web",
  outOfReach:
    "{what} could not be downloaded: the network or the server is out of reach. Please check your connection and try again.",
  brokenFile:
    "{what} arrived damaged or cut short: it is not the file this page was built with. Please try again; if that does not help, whoever runs this page can build it anew with: make web",
  noRuntime:
    "The runtime that runs the model is missing on the server. Please try again later; whoever runs this page can put it back with: make web",
  noStart:
    "The model can't be started in this browser. Whoever runs this page can compile it anew with: make web",
  noAnswer:
    "The model's answer can't be read: it gave {numbers} numbers for its {classes} classes, or some that are no probabilities. Whoever runs this page can compile it anew with: make web",
  noPart: "A part of this page is missing or could not run. Please reload the page.",
  noWorker:
    "This browser does not let this page run its model here. Please open the page by its own address, in a window of its own.",
  noMemory:
    "This device has not enough free memory for that. Please close other tabs or apps and try again, or choose a smaller photo.",
  wrong: "Something went wrong on this page. Please try again, or reload the page.",
  tooOld:
    "This browser is too old for this page: it has no {missing}. Please update it, or open the page in a current Chrome, Edge, Firefox or Safari.",
  turnedOff:
    "This page needs {missing}, which is turned off in this browser, as Lockdown Mode and some privacy settings do. Please allow it for this page, or open the page in another browser.",
  largeFile:
    "This file has {megabytes} MB; the limit is {most} MB. Please choose a smaller version of the photo.",
  largePicture: "This picture has {megapixels} megapixels; the limit is {most}. Please choose a smaller one.",
  unopenable:
    "This is a {kind} picture, which this browser can't open. Please save it as a JPEG and choose that.",
  noPicture:
    "This file is not a picture this browser can open. Please choose a photo: JPEG, PNG, WebP, GIF, BMP or AVIF.",
};

// In English, an error is said in the sentence that came with it, where one did.
/** @type {Record<string, Partial<Record<Key, string>>>} */
export const TABLE = {
  en: ENGLISH,
  de: {
    choose: "Foto auswählen",
    drop: "oder eines oder mehrere irgendwo auf dieser Seite ablegen oder einfügen",
    camera: "Foto aufnehmen",
    snap: "Jetzt aufnehmen",
    askCamera: "Der Browser fragt vielleicht, ob diese Seite die Kamera nutzen darf.",
    noCamera: "Die Kamera ist nicht nutzbar: Sie fehlt, ist belegt oder für diese Seite gesperrt.",
    cancel: "Abbrechen",
    photo: "Das ausgewählte Foto",
    held: "Das Foto wartet, bis die Seite bereit ist …",
    queued: "Dieses Foto ist noch nicht an der Reihe …",
    reading: "Das Foto wird gelesen …",
    sending: "Das Foto wird gesendet …",
    looking: "Das Foto wird angesehen …",
    loading: "Das Foto wird angesehen … Das Modell wird geladen, die erste Antwort dauert länger.",
    oneBefore: "Ein Foto ist vor Ihrem an der Reihe…",
    before: "{count} Fotos sind vor Ihrem an der Reihe…",
    busy: "Im Moment warten viele Fotos. Nächster Versuch in {seconds}\u00a0s.",
    unanswered: "Keine Antwort",
    cancelled: "Abgebrochen.",
    sure: "{name}, zu {percent} sicher",
    probably: "{name}, zu etwa {percent} sicher",
    perhaps: "Vielleicht: {name}, zu etwa {percent} sicher",
    unsure: "Schwer zu sagen. Vielleicht: {name}, nur zu etwa {percent} sicher",
    none: "Nichts von den {count} Dingen, die dieses Modell kennt",
    outside: "Das sieht nach nichts aus, was ich kenne",
    nearest: "Am nächsten kommt: {name}",
    outsideShort: "Nichts davon",
    over: "über {number} %",
    under: "unter {number} %",
    all: "Alle {count} zeigen",
    sent: "{width} × {height} Pixel, hier verkleinert: von {megabytes} MB auf {kilobytes} kB.",
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
    untitled: "Was zeigt dieses Foto?",
    tokenNeeded: "Diese Seite öffnet sich nur mit ihrem Token. Wer die Seite betreibt, kann es mitteilen.",
    token: "Token",
    tokenTake: "Seite öffnen",
    tokenWrong: "Das ist nicht das Token dieser Seite. Bitte prüfen und noch einmal versuchen.",
    broken: "Diese Seite kann gerade nicht antworten.",
    failedCell:
      "Das Notebook dieser Seite lief nicht bis zum Ende. Wer die Seite betreibt, findet den Grund im Protokoll des Servers.",
    ended:
      "Das Notebook antwortet nicht. Wurde sein Kernel neu gestartet, bitte diese Zelle noch einmal ausführen.",
    leftOut:
      "Es ist Platz für 100 Fotos auf einmal: {count} wurden ausgelassen. Bitte später noch einmal auswählen.",
    upgraded: "Das Modell wurde erneuert. Diese Antwort stammt noch vom alten.",
    askAgain: "Noch einmal fragen",
    answeredBy: "Beantwortet von {runtime}.",
    answeredLike:
      "Beantwortet von {runtime} mit einer kompilierten Kopie des trainierten Modells: Auf Testbildern unterschieden sich beide um höchstens {percent}.",
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
    noScript:
      "Diese Seite braucht JavaScript, das in diesem Browser ausgeschaltet ist. Bitte für diese Seite einschalten.",
    unopened:
      "Diese Seite startet nicht. Sie braucht einen Browser von 2023 oder neuer und eine Adresse im Netz: Als Datei aus einem Ordner läuft sie nicht.",
    starting: "Wird gestartet …",
    downloading: "Das Modell wird heruntergeladen: {loaded} von {total} MB.",
    startingModel: "Das Modell wird gestartet …",
    download: "Wird heruntergeladen",
    tryAgain: "Noch einmal versuchen",
    onDevice: "Das Foto verlässt dieses Gerät nie: Das Modell läuft im Browser.",
    offline: "Diese Seite funktioniert jetzt auch ohne Netz.",
    model: "Das Modell",
    runtime: "Die Laufzeitumgebung",
    example: "Dieses Beispiel",
    missing:
      "{what} fehlt auf dem Server, der mit {status} antwortet. Bitte später noch einmal versuchen; wer die Seite betreibt, kann das beheben mit: make web",
    outOfReach:
      "{what} konnte nicht heruntergeladen werden: Netz oder Server sind nicht erreichbar. Bitte die Verbindung prüfen und noch einmal versuchen.",
    brokenFile:
      "{what} kam beschädigt oder unvollständig an und ist nicht die Datei, mit der diese Seite gebaut wurde. Bitte noch einmal versuchen; hilft das nicht, kann der Betreiber sie neu bauen mit: make web",
    noRuntime:
      "Die Laufzeitumgebung des Modells fehlt auf dem Server. Bitte später noch einmal versuchen; wer die Seite betreibt, kann das beheben mit: make web",
    noStart:
      "Das Modell kann in diesem Browser nicht gestartet werden. Wer die Seite betreibt, kann es neu übersetzen mit: make web",
    noAnswer:
      "Die Antwort des Modells ist nicht lesbar: Es gab {numbers} Zahlen für seine {classes} Klassen, oder solche, die keine Wahrscheinlichkeiten sind. Wer die Seite betreibt, kann es neu übersetzen mit: make web",
    noPart: "Ein Teil dieser Seite fehlt oder konnte nicht laufen. Bitte die Seite neu laden.",
    noWorker:
      "Dieser Browser lässt das Modell hier nicht laufen. Bitte die Seite unter ihrer eigenen Adresse in einem eigenen Fenster öffnen.",
    noMemory:
      "Dafür ist auf diesem Gerät nicht genug Speicher frei. Bitte andere Tabs oder Apps schließen und noch einmal versuchen, oder ein kleineres Foto auswählen.",
    wrong: "Auf dieser Seite ist etwas schiefgegangen. Bitte noch einmal versuchen oder die Seite neu laden.",
    tooOld:
      "Dieser Browser ist zu alt für diese Seite: Ihm fehlt {missing}. Bitte aktualisieren oder die Seite in einem aktuellen Chrome, Edge, Firefox oder Safari öffnen.",
    turnedOff:
      "Diese Seite braucht {missing}, das in diesem Browser ausgeschaltet ist, etwa durch den Blockierungsmodus oder Einstellungen zum Datenschutz. Bitte für diese Seite erlauben oder die Seite in einem anderen Browser öffnen.",
    largeFile:
      "Diese Datei hat {megabytes} MB; erlaubt sind {most} MB. Bitte eine kleinere Fassung des Fotos auswählen.",
    largePicture:
      "Dieses Bild hat {megapixels} Megapixel; erlaubt sind {most}. Bitte ein kleineres auswählen.",
    unopenable:
      "Das ist ein {kind}-Bild, das dieser Browser nicht öffnen kann. Bitte als JPEG speichern und das auswählen.",
    noPicture:
      "Das ist kein Bild, das dieser Browser öffnen kann. Bitte ein Foto auswählen: JPEG, PNG, WebP, GIF, BMP oder AVIF.",
  },
  fr: {
    choose: "Choisir une photo",
    drop: "ou déposez-en ou collez-en une ou plusieurs n’importe où sur cette page",
    camera: "Prendre une photo",
    snap: "Prendre la photo",
    askCamera: "Le navigateur peut demander si cette page a le droit d’utiliser l’appareil photo.",
    noCamera: "L’appareil photo est absent, occupé ou interdit à cette page.",
    cancel: "Annuler",
    photo: "La photo choisie",
    held: "La photo attend que la page soit prête…",
    queued: "Cette photo attend son tour…",
    reading: "Lecture de la photo…",
    sending: "Envoi de la photo…",
    looking: "Examen de la photo…",
    loading: "Examen de la photo… Le modèle se charge : la première réponse prend plus de temps.",
    oneBefore: "Une photo passe avant la vôtre…",
    before: "{count} photos passent avant la vôtre…",
    busy: "Beaucoup de photos attendent en ce moment. Nouvel essai dans {seconds}\u00a0s.",
    unanswered: "Sans réponse",
    cancelled: "Annulé.",
    sure: "{name}, sûr à {percent}",
    probably: "{name}, sûr à {percent} environ",
    perhaps: "Peut-être : {name}, sûr à {percent} environ",
    unsure: "Difficile à dire. Peut-être : {name}, sûr à {percent} environ seulement",
    none: "Aucune des {count} choses que ce modèle connaît",
    outside: "Cela ne ressemble à rien de ce que je connais",
    nearest: "Le plus proche : {name}",
    outsideShort: "Rien de cela",
    over: "plus de {number} %",
    under: "moins de {number} %",
    all: "Tout montrer ({count})",
    sent: "{width} × {height} pixels, réduite ici : de {megabytes} Mo à {kilobytes} ko.",
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
    untitled: "Que montre cette photo ?",
    tokenNeeded: "Cette page est réservée à qui a son jeton. Demandez-le à la personne qui gère la page.",
    token: "Jeton",
    tokenTake: "Ouvrir la page",
    tokenWrong: "Ce n’est pas le bon jeton. Vérifiez-le et réessayez.",
    broken: "Cette page ne peut pas répondre pour le moment.",
    failedCell:
      "Le notebook de cette page ne s’est pas exécuté jusqu’au bout. La personne qui s’occupe de la page en trouve la raison dans le journal du serveur.",
    ended: "Le notebook ne répond pas. Si son noyau a été redémarré, exécutez de nouveau cette cellule.",
    leftOut:
      "Il y a place pour 100 photos à la fois : {count} ont été laissées de côté. Choisissez-les de nouveau plus tard.",
    upgraded: "Le modèle a été renouvelé. Cette réponse vient de l’ancien.",
    askAgain: "Demander à nouveau",
    answeredBy: "Réponse de {runtime}.",
    answeredLike:
      "Réponse de {runtime}, avec une copie compilée du modèle entraîné : sur des images d’essai, les deux différaient d’au plus {percent}.",
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
    noScript: "Cette page a besoin de JavaScript, désactivé dans ce navigateur. Activez-le pour cette page.",
    unopened:
      "Cette page ne démarre pas. Il lui faut un navigateur de 2023 ou plus récent, et une adresse sur le web : elle ne fonctionne pas comme fichier d’un dossier.",
    starting: "Démarrage…",
    downloading: "Téléchargement du modèle : {loaded} sur {total} Mo.",
    startingModel: "Démarrage du modèle…",
    download: "Téléchargement",
    tryAgain: "Réessayer",
    onDevice: "La photo ne quitte jamais cet appareil : le modèle fonctionne dans votre navigateur.",
    offline: "Cette page fonctionne maintenant sans réseau.",
    model: "Le modèle",
    runtime: "L’environnement d’exécution",
    example: "Cet exemple",
    missing:
      "{what} manque sur le serveur, qui répond {status}. Réessayez plus tard ; la personne qui s’occupe de la page peut y remédier par : make web",
    outOfReach:
      "{what} n’a pas pu être téléchargé : le réseau ou le serveur est injoignable. Vérifiez votre connexion et réessayez.",
    brokenFile:
      "{what} est arrivé abîmé ou incomplet : ce n’est pas le fichier avec lequel cette page a été faite. Réessayez ; sinon, la personne qui s’en occupe peut la refaire par : make web",
    noRuntime:
      "L’environnement d’exécution du modèle manque sur le serveur. Réessayez plus tard ; la personne qui s’occupe de la page peut y remédier par : make web",
    noStart:
      "Le modèle ne démarre pas dans ce navigateur. La personne qui s’occupe de la page peut le recompiler par : make web",
    noAnswer:
      "La réponse du modèle est illisible : {numbers} nombres pour ses {classes} classes, ou certains qui ne sont pas des probabilités. La personne qui s’occupe de la page peut le recompiler par : make web",
    noPart: "Une partie de cette page manque ou n’a pas pu fonctionner. Rechargez la page.",
    noWorker:
      "Ce navigateur ne laisse pas le modèle fonctionner ici. Ouvrez la page à sa propre adresse, dans une fenêtre à elle.",
    noMemory:
      "Cet appareil n’a pas assez de mémoire libre pour cela. Fermez d’autres onglets ou applications et réessayez, ou choisissez une photo plus petite.",
    wrong: "Quelque chose s’est mal passé sur cette page. Réessayez, ou rechargez la page.",
    tooOld:
      "Ce navigateur est trop ancien pour cette page : il lui manque {missing}. Mettez-le à jour, ou ouvrez la page dans un Chrome, Edge, Firefox ou Safari actuel.",
    turnedOff:
      "Cette page a besoin de {missing}, désactivé dans ce navigateur, comme le font le mode Isolement et certains réglages de confidentialité. Autorisez-le pour cette page, ou ouvrez la page dans un autre navigateur.",
    largeFile:
      "Ce fichier fait {megabytes} Mo ; la limite est de {most} Mo. Choisissez une version plus petite de la photo.",
    largePicture:
      "Cette image a {megapixels} mégapixels ; la limite est de {most}. Choisissez-en une plus petite.",
    unopenable:
      "C’est une image {kind}, que ce navigateur ne peut pas ouvrir. Enregistrez-la en JPEG et choisissez ce fichier.",
    noPicture:
      "Ce fichier n’est pas une image que ce navigateur peut ouvrir. Choisissez une photo : JPEG, PNG, WebP, GIF, BMP ou AVIF.",
  },
  es: {
    choose: "Elegir una foto",
    drop: "o suelte o pegue una o varias en cualquier lugar de esta página",
    camera: "Hacer una foto",
    snap: "Hacer la foto",
    askCamera: "El navegador puede preguntar si esta página tiene permiso para usar la cámara.",
    noCamera: "No se puede usar la cámara: falta, está ocupada o esta página no tiene permiso.",
    cancel: "Cancelar",
    photo: "La foto elegida",
    held: "La foto espera a que la página esté lista…",
    queued: "Esta foto espera su turno…",
    reading: "Leyendo la foto…",
    sending: "Enviando la foto…",
    looking: "Mirando la foto…",
    loading: "Mirando la foto… El modelo se está cargando: la primera respuesta tarda más.",
    oneBefore: "Hay una foto antes de la suya…",
    before: "Hay {count} fotos antes de la suya…",
    busy: "En este momento esperan muchas fotos. Nuevo intento en {seconds}\u00a0s.",
    unanswered: "Sin respuesta",
    cancelled: "Cancelado.",
    sure: "{name}, con un {percent} de seguridad",
    probably: "{name}, con cerca de un {percent} de seguridad",
    perhaps: "Quizá: {name}, con cerca de un {percent} de seguridad",
    unsure: "Difícil de decir. Quizá: {name}, con solo cerca de un {percent} de seguridad",
    none: "Ninguna de las {count} cosas que este modelo conoce",
    outside: "Esto no se parece a nada de lo que conozco",
    nearest: "Lo más parecido: {name}",
    outsideShort: "Nada de eso",
    over: "más del {number} %",
    under: "menos del {number} %",
    all: "Mostrar las {count}",
    sent: "{width} × {height} píxeles, reducida aquí: de {megabytes} MB a {kilobytes} kB.",
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
    untitled: "¿Qué muestra esta foto?",
    tokenNeeded: "Esta página es para quien tiene su token. Pídalo a quien la gestiona.",
    token: "Token",
    tokenTake: "Abrir la página",
    tokenWrong: "Este no es su token. Compruébelo e inténtelo de nuevo.",
    broken: "Esta página no puede responder en este momento.",
    failedCell:
      "El cuaderno de esta página no se ejecutó hasta el final. Quien mantiene la página encuentra la razón en el registro del servidor.",
    ended: "El cuaderno no responde. Si se reinició su núcleo, vuelva a ejecutar esta celda.",
    leftOut: "Hay sitio para 100 fotos a la vez: {count} se han dejado fuera. Elíjalas de nuevo más tarde.",
    upgraded: "El modelo se ha renovado. Esta respuesta es del anterior.",
    askAgain: "Preguntar de nuevo",
    answeredBy: "Respuesta de {runtime}.",
    answeredLike:
      "Respuesta de {runtime}, con una copia compilada del modelo entrenado: en imágenes de prueba, ambos difirieron en {percent} como máximo.",
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
    noScript:
      "Esta página necesita JavaScript, que está desactivado en este navegador. Actívelo para esta página.",
    unopened:
      "Esta página no arranca. Necesita un navegador de 2023 o más nuevo y una dirección en la web: no funciona como archivo de una carpeta.",
    starting: "Iniciando…",
    downloading: "Descargando el modelo: {loaded} de {total} MB.",
    startingModel: "Iniciando el modelo…",
    download: "Descargando",
    tryAgain: "Reintentar",
    onDevice: "La foto nunca sale de este dispositivo: el modelo funciona en su navegador.",
    offline: "Esta página ya funciona sin red.",
    model: "El modelo",
    runtime: "El entorno de ejecución",
    example: "Este ejemplo",
    missing:
      "{what} falta en el servidor, que responde {status}. Inténtelo más tarde; quien mantiene la página puede reponerlo con: make web",
    outOfReach:
      "{what} no se pudo descargar: no se llega a la red o al servidor. Compruebe su conexión e inténtelo de nuevo.",
    brokenFile:
      "{what} llegó dañado o incompleto: no es el archivo con el que se hizo esta página. Inténtelo de nuevo; si no sirve, quien mantiene la página puede rehacerla con: make web",
    noRuntime:
      "El entorno de ejecución del modelo falta en el servidor. Inténtelo más tarde; quien mantiene la página puede reponerlo con: make web",
    noStart:
      "El modelo no arranca en este navegador. Quien mantiene la página puede compilarlo de nuevo con: make web",
    noAnswer:
      "La respuesta del modelo no se puede leer: dio {numbers} números para sus {classes} clases, o algunos que no son probabilidades. Quien mantiene la página puede compilarlo de nuevo con: make web",
    noPart: "Una parte de esta página falta o no pudo funcionar. Vuelva a cargar la página.",
    noWorker:
      "Este navegador no deja que el modelo funcione aquí. Abra la página por su propia dirección, en una ventana propia.",
    noMemory:
      "Este dispositivo no tiene bastante memoria libre para eso. Cierre otras pestañas o aplicaciones e inténtelo de nuevo, o elija una foto más pequeña.",
    wrong: "Algo salió mal en esta página. Inténtelo de nuevo o vuelva a cargar la página.",
    tooOld:
      "Este navegador es demasiado antiguo para esta página: le falta {missing}. Actualícelo o abra la página en un Chrome, Edge, Firefox o Safari actual.",
    turnedOff:
      "Esta página necesita {missing}, que está desactivado en este navegador, como hacen el modo de aislamiento y algunos ajustes de privacidad. Permítalo para esta página o ábrala en otro navegador.",
    largeFile:
      "Este archivo tiene {megabytes} MB; el límite es de {most} MB. Elija una versión más pequeña de la foto.",
    largePicture: "Esta imagen tiene {megapixels} megapíxeles; el límite es {most}. Elija una más pequeña.",
    unopenable:
      "Es una imagen {kind}, que este navegador no puede abrir. Guárdela como JPEG y elija ese archivo.",
    noPicture:
      "Este archivo no es una imagen que este navegador pueda abrir. Elija una foto: JPEG, PNG, WebP, GIF, BMP o AVIF.",
  },
  zh: {
    choose: "选择照片",
    drop: "也可以把一张或多张照片拖放或粘贴到本页任意位置",
    camera: "拍照",
    snap: "拍摄",
    askCamera: "浏览器可能会询问是否允许本页使用相机。",
    noCamera: "无法使用相机：没有相机、相机被占用，或本页没有权限。",
    cancel: "取消",
    photo: "您选择的照片",
    held: "页面准备好后就会查看您的照片……",
    queued: "这张照片正在排队……",
    reading: "正在读取照片……",
    sending: "正在发送照片……",
    looking: "正在查看照片……",
    loading: "正在查看照片……模型正在加载，第一次回答需要久一些。",
    oneBefore: "您前面还有 1 张照片…",
    before: "您前面还有 {count} 张照片…",
    busy: "现在有很多照片在排队，{seconds} 秒后重试。",
    unanswered: "没有答案",
    cancelled: "已取消。",
    sure: "{name}，把握 {percent}",
    probably: "{name}，把握约 {percent}",
    perhaps: "可能是{name}，把握约 {percent}",
    unsure: "很难判断。可能是{name}，把握只有约 {percent}",
    none: "不属于这个模型认识的 {count} 类",
    outside: "这看起来不像我认识的任何一种",
    nearest: "最接近的是{name}",
    outsideShort: "都不是",
    percent: "{number}%",
    over: "{number}% 以上",
    under: "不到 {number}%",
    all: "显示全部 {count} 类",
    sent: "{width} × {height} 像素，已在此缩小：从 {megabytes} MB 到 {kilobytes} kB。",
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
    untitled: "这张照片里是什么？",
    tokenNeeded: "打开本页需要令牌，可向本页的管理者索取。",
    token: "令牌",
    tokenTake: "打开页面",
    tokenWrong: "令牌不正确。请检查后再试一次。",
    broken: "本页暂时无法回答。",
    failedCell: "本页的笔记本没有运行到结尾。管理本页的人可以在服务器日志中找到原因。",
    ended: "笔记本没有响应。如果内核已重启，请重新运行这个单元格。",
    leftOut: "一次最多 100 张照片：有 {count} 张未被接收。请稍后再选。",
    upgraded: "模型已经更新，这个回答来自旧模型。",
    askAgain: "再问一次",
    answeredBy: "由 {runtime} 作答。",
    answeredLike: "由 {runtime} 用训练好的模型的编译版作答：在测试图片上，两者最多相差 {percent}。",
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
    noScript: "本页需要 JavaScript，但此浏览器已将其关闭。请为本页开启。",
    unopened: "本页没有启动。它需要 2023 年或更新的浏览器，并且要通过网址打开：不能直接从文件夹打开文件。",
    starting: "正在启动……",
    downloading: "正在下载模型：{loaded} / {total} MB。",
    startingModel: "正在启动模型……",
    download: "正在下载",
    tryAgain: "重试",
    onDevice: "您的照片不会离开本设备：模型在您的浏览器中运行。",
    offline: "本页现在没有网络也能使用。",
    model: "模型",
    runtime: "运行环境",
    example: "这个示例",
    missing: "服务器上缺少{what}（服务器返回 {status}）。请稍后再试；管理本页的人可以用此命令恢复：make web",
    outOfReach: "{what}无法下载：网络或服务器不可达。请检查网络连接后重试。",
    brokenFile:
      "{what}下载后已损坏或不完整，不是本页所用的文件。请重试；如果还不行，管理本页的人可以用此命令重新生成：make web",
    noRuntime: "服务器上缺少模型的运行环境。请稍后再试；管理本页的人可以用此命令恢复：make web",
    noStart: "模型无法在此浏览器中启动。管理本页的人可以用此命令重新编译：make web",
    noAnswer:
      "无法读取模型的回答：它为 {classes} 个类别给出了 {numbers} 个数，或其中有些不是概率。管理本页的人可以用此命令重新编译：make web",
    noPart: "本页的一部分缺失或无法运行。请重新加载页面。",
    noWorker: "此浏览器不允许模型在这里运行。请用本页自己的网址在单独的窗口中打开。",
    noMemory: "本设备的可用内存不足。请关闭其他标签页或应用后重试，或选择小一些的照片。",
    wrong: "本页出了问题。请重试，或重新加载页面。",
    tooOld: "此浏览器太旧，缺少 {missing}。请更新浏览器，或用新版 Chrome、Edge、Firefox 或 Safari 打开本页。",
    turnedOff:
      "本页需要 {missing}，但此浏览器已将其关闭（锁定模式和某些隐私设置会这样做）。请为本页允许它，或用其他浏览器打开本页。",
    largeFile: "这个文件有 {megabytes} MB，上限是 {most} MB。请选择小一些的照片。",
    largePicture: "这张图片有 {megapixels} 百万像素，上限是 {most}。请选择小一些的。",
    unopenable: "这是 {kind} 图片，此浏览器无法打开。请另存为 JPEG 后再选择。",
    noPicture: "此浏览器无法打开这个文件。请选择照片：JPEG、PNG、WebP、GIF、BMP 或 AVIF。",
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
 * Returns the sentence of an error, of which the server gave type and sentence.
 * @param {Pick<Problem, "type" | "message"> & Partial<Pick<Problem, "words">>} error
 */
export function sayError({ type, message, words }) {
  if (words) return words;
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
 * Says what gave an answer and, if that was compiled, how far it is from the learner; "" if unknown.
 * @param {Pick<Prediction, "runtime" | "agreement">} answer
 */
export function sayRuntime({ runtime, agreement }) {
  if (!runtime) return "";
  if (agreement == null) return say("answeredBy", { runtime });
  const number = new Intl.NumberFormat(language, { maximumSignificantDigits: 1 }).format(100 * agreement);
  return say("answeredLike", { runtime, percent: say("percent", { number }) });
}

/**
 * Says an answer: how sure in plain steps, with the very percent that its bar has.
 * @param {object} answer
 * @param {ModelInfo["task"]} answer.task
 * @param {string[]} answer.names  of the classes found, as the author says them
 * @param {number} answer.count  of the model's classes
 * @param {number} answer.probability
 */
export function sayAnswer({ task, names, count, probability }) {
  if (task === "multi-label") return names.join(", ") || say("none", { count });
  const [name] = names;
  const key = isSure(probability)
    ? "sure"
    : probability >= 0.7
      ? "probably"
      : probability >= 0.5
        ? "perhaps"
        : "unsure";
  return say(key, { name, percent: percent(Math.max(0.01, probability)) }); // no "about under"
}

/**
 * Tells whether an answer is sure, so that more may be said of what the photo shows.
 * @param {number} probability
 */
export function isSure(probability) {
  return probability >= 0.9;
}
