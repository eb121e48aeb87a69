// SPDX-License-Identifier: Apache-2.0
//! A rustls client for the capture tests: rustls_client <port> <ca.der> <request bytes> <count>
//! Sends POST requests with stamped bodies over one connection and reads the replies.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

fn body(size: usize, seed: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(size + 16);
    let mut line = 0;
    while out.len() < size {
        out.extend_from_slice(format!("{:08x}.{:06x};", line, seed).as_bytes());
        line += 1;
    }
    out.truncate(size);
    out
}

fn main() {
    // The first start of a new program races with its analysis.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let arguments: Vec<String> = std::env::args().collect();
    let port: u16 = arguments[1].parse().unwrap();
    let ca = std::fs::read(&arguments[2]).unwrap();
    let size: usize = arguments[3].parse().unwrap();
    let count: usize = arguments[4].parse().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from(ca)).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut tls = rustls::Stream::new(&mut session, &mut socket);
    for i in 0..count {
        let content = body(size, i);
        let head = format!("POST /echo/{} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", i, content.len());
        tls.write_all(head.as_bytes()).unwrap();
        tls.write_all(&content).unwrap();
        let mut reply = Vec::new();
        let mut buffer = [0u8; 16384];
        loop {
            if let Some(end) = reply.windows(4).position(|w| w == b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&reply[..end]).to_lowercase();
                let length: usize = text.split("content-length: ").nth(1).unwrap().lines().next().unwrap().trim().parse().unwrap();
                if reply.len() >= end + 4 + length {
                    break;
                }
            }
            let got = tls.read(&mut buffer).unwrap();
            assert!(got > 0, "the server closed");
            reply.extend_from_slice(&buffer[..got]);
        }
    }
}
