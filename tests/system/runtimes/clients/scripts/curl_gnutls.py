# SPDX-License-Identifier: Apache-2.0
"""curl over GnuTLS, by its library: curl_gnutls.py <url> <ca file> <request bytes> <count>"""

import ctypes
import sys
import time

CURLOPT_POST, CURLOPT_POSTFIELDSIZE = 47, 60
CURLOPT_URL, CURLOPT_POSTFIELDS, CURLOPT_CAINFO, CURLOPT_WRITEFUNCTION = 10002, 10015, 10065, 20011

url, ca, size, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
curl = ctypes.CDLL("libcurl-gnutls.so.4")
curl.curl_easy_init.restype = ctypes.c_void_p
curl.curl_easy_strerror.restype = ctypes.c_char_p
take = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)(
    lambda _data, one, many, _context: one * many)
time.sleep(1.5)  # the first start of a new program races with its analysis
handle = ctypes.c_void_p(curl.curl_easy_init())
for i in range(count):
    body = b"".join(b"%08x.%06x;" % (line, i) for line in range(size // 16 + 1))[:size]
    curl.curl_easy_setopt(handle, CURLOPT_URL, f"{url}/echo/{i}".encode())
    curl.curl_easy_setopt(handle, CURLOPT_CAINFO, ca.encode())
    curl.curl_easy_setopt(handle, CURLOPT_POST, ctypes.c_long(1))
    curl.curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, ctypes.c_long(len(body)))
    curl.curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body)
    curl.curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take)
    result = curl.curl_easy_perform(handle)
    if result != 0:
        raise SystemExit(curl.curl_easy_strerror(result).decode())
curl.curl_easy_cleanup(handle)
