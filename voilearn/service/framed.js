// framed
