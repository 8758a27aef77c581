// What the build puts beside the worker.

declare module "*/ort.js" {
  export * from "onnxruntime-common";
}

interface Deployed {
  build: string;
  small: string[];
  large: string[];
  later: string[];
}

declare const DEPLOYED: Deployed;
