use crate::place::on_both;

#[tokio::test]
async fn a_refused_version_of_a_model_is_known_until_it_is_admitted() {
    on_both(async |place| {
        let queue = place.open().await;
        assert_eq!(queue.refused("digits", "a1").await.unwrap(), None);
        queue.refuse("digits", "a1", "worse").await.unwrap();
        queue.refuse("digits", "a1", "much worse").await.unwrap();
        queue.close().await;
        let queue = place.open().await;
        let why = queue.refused("digits", "a1").await.unwrap();
        assert_eq!(why.as_deref(), Some("much worse"));
        for (model, version) in [("digits", "a2"), ("letters", "a1")] {
            assert_eq!(queue.refused(model, version).await.unwrap(), None);
        }
        queue.admit("digits", "a1").await.unwrap();
        assert_eq!(queue.refused("digits", "a1").await.unwrap(), None);
    })
    .await;
}
