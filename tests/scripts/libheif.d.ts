// What of libheif is used: its script comes from npm when the page is built.

declare module "*/libheif.js" {
  export interface Image {
    get_width(): number;
    get_height(): number;
    is_primary(): number;
    display(pixels: ImageData, done: (drawn: ImageData | null) => void): void;
    free(): void;
  }
  export interface Library {
    HeifDecoder: new () => { decode(bytes: Uint8Array): Image[] };
  }
  export default function libheif(options: { wasmBinary: Uint8Array }): Library;
}
