//! The operations on a device that is lent: the same bits as where they run here.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use std::{net::TcpListener, thread};

use burn::{
    backend::{Flex, ops::FloatTensorOps as _},
    module::Module,
    nn::{
        BatchNorm, BatchNormConfig, Linear, LinearConfig,
        conv::{Conv2d, Conv2dConfig},
    },
    optim::{GradientsParams, ModuleOptimizer},
    remote::RemoteHost,
    server::{RemoteServer, TokenAuthorizer, WebSocketTransport},
    tensor::{Device, Tensor, TensorData},
};
use common::random;
use kernels::{
    AdamW, NO_CLASS, Order, conv_block, cross_entropy, dense_block, flatten,
    remote::{GreetError, greet, lend},
};

const TOKEN: &str = "a token of these tests";

/// A device of this machine, lent over its loopback interface.
fn lent(device: &Device, prepare: impl FnOnce(RemoteServer) -> RemoteServer) -> Device {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    let server =
        RemoteServer::new([device.clone()]).with_authorizer(TokenAuthorizer::new(TOKEN).unwrap());
    let server = prepare(server);
    thread::spawn(move || server.serve(WebSocketTransport::from_listener(listener)));
    let host = RemoteHost::websocket(&address).with_credential(TOKEN);
    Device::remote_options(&host).init().unwrap()
}

/// Both orders of a block, with and without a normalization, and both kinds of dense layers.
#[derive(Module, Debug)]
struct Net {
    conv: [Conv2d; 3],
    norm: [BatchNorm; 2],
    hidden: Linear,
    hidden_norm: BatchNorm,
    output: Linear,
}

impl Net {
    /// The same on every device.
    fn new(device: &Device) -> Self {
        // Parameters are drawn where they are first used.
        device.seed(3);
        let conv = |channels| Conv2dConfig::new(channels, [3, 3]).init(device);
        let norm = |channels| BatchNormConfig::new(channels).init(device);
        Net {
            conv: [conv([2, 8]), conv([8, 8]), conv([8, 4])],
            norm: [norm(8), norm(8)],
            hidden: LinearConfig::new(4 * 9, 16).with_bias(false).init(device),
            hidden_norm: norm(16),
            output: LinearConfig::new(16, 5).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let [first, second, third] = &self.conv;
        let x = conv_block(x, first, Some(&self.norm[0]), Order::ConvNormReluPool, true);
        let x = conv_block(
            x,
            second,
            Some(&self.norm[1]),
            Order::ConvPoolNormRelu,
            false,
        );
        let x = conv_block(x, third, None, Order::ConvPoolNormRelu, true);
        let x = dense_block(flatten(x), &self.hidden, Some(&self.hidden_norm), true);
        dense_block(x, &self.output, None, false)
    }
}

fn images(seed: u64, device: &Device) -> Tensor<4> {
    let values = random(6 * 2 * 22 * 22, seed);
    Tensor::from_data(TensorData::new(values, [6, 2, 22, 22]), device)
}

/// Every number that a few steps of training bring forth.
fn train(device: &Device) -> Vec<TensorData> {
    let training = device.clone().autodiff();
    let mut net = Net::new(&training);
    let mut optimizer = ModuleOptimizer::from(AdamW::default());
    let mut numbers = Vec::new();
    for step in 0..3 {
        let logits = net.forward(images(step, &training));
        let loss = cross_entropy(logits.clone(), &[0, 1, 2, 3, 4, NO_CLASS]);
        numbers.push(loss.clone().into_data());
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = optimizer.step(0.01, net, gradients);
    }
    let net = net.valid();
    numbers.push(net.forward(images(9, device)).into_data());
    numbers.push(net.conv[0].weight.val().into_data());
    numbers.push(net.norm[0].running_mean.value().into_data());
    numbers.push(net.norm[1].running_var.value().into_data());
    numbers.push(net.hidden.weight.val().into_data());
    numbers
}

#[test]
fn a_network_learns_the_same_bits_on_a_lent_device() {
    for device in [Device::flex(), Device::ndarray()] {
        let remote = lent(&device, |server| lend(server, &device));
        assert!(greet(&remote).unwrap().kernels);
        assert_eq!(train(&remote), train(&device), "{device:?}");
    }
}

#[test]
fn what_is_lent_by_another_program_is_refused() {
    let remote = lent(&Device::flex(), |server| server);
    let refused = greet(&remote);
    assert!(
        matches!(refused, Err(GreetError::Foreign { .. })),
        "{refused:?}"
    );
    assert!(matches!(greet(&Device::flex()), Err(GreetError::Local)));
}

#[test]
fn a_lender_of_another_version_is_refused() {
    let remote = lent(&Device::flex(), |server| {
        server.with_custom_op::<Flex, _>("kernels.hello", |handles, operation, device| {
            let answer = Flex::float_from_data(TensorData::from([99.0_f32, 1.0]), device);
            handles.register_float_tensor::<Flex>(&operation.outputs[0].id, answer);
        })
    });
    let refused = greet(&remote);
    assert!(
        matches!(refused, Err(GreetError::Version { theirs: 99 })),
        "{refused:?}"
    );
}
