//! Bodies that arrive in pieces, and the end of a server meanwhile.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Client, patiently, start};

fn post(body: &str) -> String {
    format!("POST /told HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn bodies_in_pieces_and_in_a_row_are_read_whole() {
    let server = start();
    let mut client = Client::connect(&server).await;
    let large = "x".repeat(60_000);
    for body in ["one", "two", "", &large, "three"] {
        client.send(&post(body)).await;
        let (head, text) = client.reply().await;
        assert!(head.starts_with("HTTP/1.1 200 ") && text.ends_with(&format!("b\"{body}\"")), "{head}{text}");
    }
    client.send(&[post("one"), post("two"), post("three")].concat()).await;
    for body in ["one", "two", "three"] {
        assert!(client.reply().await.1.ends_with(&format!("b\"{body}\"")));
    }
    // The rest of a body is waited for, whatever else comes with it.
    let both = [post("half a body"), post("next")].concat();
    let (head, rest) = both.split_at(both.find("a body").unwrap());
    client.send(head).await;
    client.get_nothing().await;
    client.send(rest).await;
    for body in ["half a body", "next"] {
        assert!(client.reply().await.1.ends_with(&format!("b\"{body}\"")));
    }
}

#[tokio::test]
async fn a_server_that_stops_waits_for_a_body_on_its_way() {
    let server = start();
    let (mut client, mut gone) = (Client::connect(&server).await, Client::connect(&server).await);
    let request = post("half a body");
    let (head, rest) = request.split_at(request.find("a body").unwrap());
    for client in [&mut client, &mut gone] {
        client.send(head).await;
        client.get_nothing().await;
    }
    let stopping = tokio::spawn(server.stop());
    drop(gone);
    client.get_nothing().await;
    assert!(!stopping.is_finished());
    client.send(rest).await;
    let (all, end) = client.rest().await;
    assert!(all.contains("\r\nconnection: close\r\n") && all.ends_with("b\"half a body\""), "{all}");
    end.unwrap();
    patiently(stopping).await.unwrap();
}

#[tokio::test]
async fn a_server_stops_however_much_is_asked_of_it() {
    let server = start();
    let Client(stream) = Client::connect(&server).await;
    let (mut from, mut to) = stream.into_split();
    let asking = tokio::spawn(async move {
        let many = "GET /now HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
        while to.write_all(many.as_bytes()).await.is_ok() {}
    });
    let mut replies = [0; 1000];
    from.read_exact(&mut replies).await.unwrap();
    let reading = tokio::spawn(async move { while matches!(from.read(&mut replies).await, Ok(1..)) {} });
    patiently(server.stop()).await;
    patiently(async { (asking.await.unwrap(), reading.await.unwrap()) }).await;
}
